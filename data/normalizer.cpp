#include "data/normalizer.h"

#include <unicode/utf8.h>

#include <algorithm>
#include <limits>
#include <vector>

#include "tensor/error.h"

namespace tk {

Normalizer::Normalizer(const NormalizerOptions& options)
    : options_(options), strip_accents_(options.strip_accents.value_or(options.lower_case)) {
  auto table = std::make_shared<std::array<Character, kTableSize>>();
  for (char32_t c = 0; c < kTableSize; ++c) (*table)[c] = classify(c);
  table_ = std::move(table);
}

std::u32string Normalizer::expansion(char32_t c) const {
  std::u32string kept = strip_accents_ ? decompose(c, options_.unicode) : std::u32string{c};
  if (strip_accents_) std::erase_if(kept, [&](char32_t part) { return is_nonspacing_mark(part, options_.unicode); });
  if (!options_.lower_case) return kept;
  std::u32string lowered;
  for (const char32_t part : kept) lowered += lower_case(part, options_.unicode);
  return lowered;
}

// The steps of BertNormalizer, then of BertPreTokenizer, for one code point. Control characters go first, so U+000B,
// U+0085 and their like, which are white space too, join their neighbours.
Normalizer::Character Normalizer::classify(char32_t c) const {
  const bool line_space = c == U'\t' || c == U'\n' || c == U'\r';
  if (c == 0 || c == 0xFFFD || (!line_space && is_control(c, options_.unicode))) return {c, Kind::kDrop};
  if (is_white_space(c)) return {c, Kind::kSpace};

  const std::u32string folded = expansion(c);
  if (folded.empty()) {
    const std::u32string parts = decompose(c, options_.unicode);
    const bool starter = std::any_of(parts.begin(), parts.end(), [&](char32_t part) { return mark_class(part) == 0; });
    return {c, starter ? Kind::kBarrier : Kind::kDrop};
  }
  if (folded.size() > 1 || mark_class(folded[0]) != 0) return {c, Kind::kExpand};
  const bool isolated = (options_.split_cjk && is_cjk(c)) || is_punctuation(folded[0], options_.unicode);
  return {folded[0], isolated ? Kind::kIsolated : Kind::kWord};
}

NormalizedText normalized(const Normalizer& normalizer, std::string_view text) {
  NormalizedText result;
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(text.data());
  const auto size = static_cast<std::int32_t>(text.size());
  for (ByteSpan from; from.end < size;) {
    from.begin = from.end;
    UChar32 c;
    U8_NEXT_OR_FFFD(bytes, from.end, size, c);
    const Normalizer::Character character = normalizer.character(static_cast<char32_t>(c));
    switch (character.kind) {
      case Normalizer::Kind::kWord:
      case Normalizer::Kind::kIsolated:
        append_utf8(result.text, character.folded);
        break;
      case Normalizer::Kind::kExpand:
        for (const char32_t part : normalizer.expansion(static_cast<char32_t>(c))) append_utf8(result.text, part);
        break;
      case Normalizer::Kind::kSpace:
        result.text += ' ';
        break;
      case Normalizer::Kind::kBarrier:
      case Normalizer::Kind::kDrop:
        break;
    }
    result.sources.resize(result.text.size(), from);
  }
  return result;
}

WordScanner::WordScanner(const Normalizer& normalizer, std::string_view text) : normalizer_(normalizer), text_(text) {
  TK_CHECK(text.size() <= std::numeric_limits<std::int32_t>::max(),
           "tokenizer: expected a text of less than 2 GiB, got ", text.size(), " bytes");
}

bool WordScanner::next() {
  size_ = length_ = barrier_ = 0;
  const char* bytes = text_.data();
  const auto size = static_cast<std::int32_t>(text_.size());
  while (position_ < size) {
    ByteSpan from{position_, position_ + 1};
    auto c = static_cast<UChar32>(static_cast<unsigned char>(bytes[position_]));
    if (c >= 0x80) {
      from.end = position_;
      U8_NEXT_OR_FFFD(bytes, from.end, size, c);
    }
    const Normalizer::Character character = normalizer_.character(static_cast<char32_t>(c));
    switch (character.kind) {
      case Normalizer::Kind::kWord:
        append(character.folded, from);
        break;
      case Normalizer::Kind::kExpand:
        expand(static_cast<char32_t>(c), from);
        break;
      case Normalizer::Kind::kBarrier:
        barrier_ = size_;
        break;
      case Normalizer::Kind::kDrop:
        break;
      case Normalizer::Kind::kSpace:
        if (length_ == 0) break;
        position_ = from.end;
        return true;
      case Normalizer::Kind::kIsolated:
        if (length_ > 0) return true;  // it is the next word
        append(character.folded, from);
        position_ = from.end;
        return true;
    }
    position_ = from.end;
  }
  return length_ > 0;
}

inline void WordScanner::append(char32_t c, ByteSpan from) {
  end_ = from.end;
  if (++length_ > kMaxWordLength) return;
  const std::int32_t begin = size_;
  if (c < 0x80) {
    word_[static_cast<std::size_t>(size_++)] = static_cast<char>(c);
  } else {
    U8_APPEND_UNSAFE(word_, size_, c);
  }
  for (auto i = static_cast<std::size_t>(begin); i < static_cast<std::size_t>(size_); ++i) {
    source_begin_[i] = from.begin;
    source_end_[i] = from.end;
  }
}

void WordScanner::expand(char32_t c, ByteSpan from) {
  for (const char32_t part : normalizer_.expansion(c)) {
    const int mark_class = normalizer_.mark_class(part);
    mark_class == 0 ? append(part, from) : append_mark(part, mark_class, from);
  }
}

// Canonical ordering: a mark goes before the marks of a higher class that precede it. The sources keep their order.
void WordScanner::append_mark(char32_t c, int combining_class, ByteSpan from) {
  if (length_ >= kMaxWordLength) return append(c, from);
  std::u32string marks;  // from the back
  std::vector<ByteSpan> sources = {from};
  std::int32_t begin = size_;
  while (begin > barrier_) {
    std::int32_t before = begin;
    UChar32 previous;
    U8_PREV_UNSAFE(word_, before, previous);
    if (normalizer_.mark_class(static_cast<char32_t>(previous)) <= combining_class) break;
    marks.push_back(static_cast<char32_t>(previous));
    sources.push_back(source(before, begin));
    begin = before;
  }
  marks.push_back(c);
  length_ -= static_cast<std::int32_t>(marks.size()) - 1;
  size_ = begin;
  for (std::size_t i = marks.size(); i-- > 0;) append(marks[i], sources[i]);
}

}  // namespace tk
