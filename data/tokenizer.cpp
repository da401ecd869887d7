#include "data/tokenizer.h"

#include <algorithm>
#include <utility>

#include "tensor/error.h"

namespace tk {
namespace {

struct Lengths {
  std::int64_t a, b;
};

// `truncate_encodings` of `tokenizers` (its pull request 389). On a tie A counts as the shorter.
Lengths truncate_longest(Lengths n, std::int64_t budget) {
  const bool swapped = n.a > n.b;
  if (swapped) std::swap(n.a, n.b);
  n.b = n.a > budget ? n.a : std::max(n.a, budget - n.a);
  if (n.a + n.b > budget) n = {budget / 2, budget / 2 + budget % 2};
  if (swapped) std::swap(n.a, n.b);
  return n;
}

std::int64_t truncate_one(std::int64_t length, std::int64_t excess, const char* which) {
  TK_CHECK(length > excess, "tokenizer: expected to cut ", excess, " tokens from the ", which,
           " text, but it has only ", length, "; choose a larger max_length or another truncation");
  return length - excess;
}

// How many tokens of A and of B to keep so that there are at most `budget`.
Lengths truncate(Lengths n, bool pair, std::int64_t budget, Truncation truncation) {
  const std::int64_t excess = n.a + n.b - budget;
  if (excess <= 0) return n;
  if (budget == 0) return {0, 0};
  switch (truncation) {
    case Truncation::kOnlyFirst:
      return {truncate_one(n.a, excess, "first"), n.b};
    case Truncation::kOnlySecond:
      TK_CHECK(pair, "tokenizer: expected a second text, the one to cut, got a single text");
      return {n.a, truncate_one(n.b, excess, "second")};
    case Truncation::kLongestFirst:
      break;
  }
  return pair ? truncate_longest(n, budget) : Lengths{budget, 0};
}

void append(Encoding& encoding, std::int32_t id, std::int32_t type, ByteSpan source = {}) {
  encoding.ids.push_back(id);
  encoding.token_types.push_back(type);
  encoding.sources.push_back(source);
}

template <class T>
void erase(std::vector<T>& values, std::int64_t begin, std::int64_t end) {
  values.erase(values.begin() + begin, values.begin() + end);
}

void erase(Encoding& encoding, std::int64_t begin, std::int64_t end) {
  erase(encoding.ids, begin, end);
  erase(encoding.token_types, begin, end);
  erase(encoding.sources, begin, end);
}

void reserve(Encoding& encoding, std::size_t tokens) {
  encoding.ids.reserve(tokens);
  encoding.token_types.reserve(tokens);
  encoding.sources.reserve(tokens);
}

}  // namespace

Tokenizer::Tokenizer(Vocabulary vocabulary, const TokenizerOptions& options)
    : vocabulary_(std::move(vocabulary)), options_(options), normalizer_(options.normalizer), wordpiece_(vocabulary_) {
  if (options.split_special_tokens) return;
  for (const std::string_view text : kSpecialTokens) {
    if (const auto id = vocabulary_.find(text)) special_tokens_.push_back({text, *id});
  }
}

Encoding Tokenizer::encode(std::string_view a, std::optional<std::string_view> b,
                           std::optional<std::int64_t> max_length) const {
  const std::int64_t added = b ? 3 : 2;
  TK_CHECK(!max_length || *max_length >= added, "tokenizer: expected a max_length of at least ", added,
           ", for [CLS] and [SEP], got ", max_length.value_or(0));
  Encoding encoding;
  reserve(encoding, (a.size() + (b ? b->size() : 0)) / 4 + 8);  // English has 4 to 5 bytes a token
  const auto size = [&] { return static_cast<std::int64_t>(encoding.ids.size()); };

  append(encoding, vocabulary_.cls(), 0);
  append_text(a, 0, encoding);
  const std::int64_t end_a = size();
  append(encoding, vocabulary_.sep(), 0);
  if (b) append_text(*b, 1, encoding);
  const std::int64_t end_b = size();
  if (b) append(encoding, vocabulary_.sep(), 1);

  if (max_length && size() > *max_length) {
    const Lengths all = {end_a - 1, end_b - end_a - 1};
    const Lengths kept = truncate(all, b.has_value(), *max_length - added, options_.truncation);
    erase(encoding, end_b - (all.b - kept.b), end_b);
    erase(encoding, end_a - (all.a - kept.a), end_a);
  }
  return encoding;
}

// All special tokens begin with the same byte, so that the usual text without one costs one search for it.
void Tokenizer::append_text(std::string_view text, std::int32_t type, Encoding& encoding) const {
  std::size_t begin = 0;
  if (!special_tokens_.empty()) {
    for (std::size_t at = text.find('['); at != std::string_view::npos; at = text.find('[', at)) {
      const auto special = std::find_if(special_tokens_.begin(), special_tokens_.end(), [&](const SpecialToken& token) {
        return text.substr(at).starts_with(token.text);
      });
      if (special == special_tokens_.end()) {
        ++at;
        continue;
      }
      append_words(text, begin, at, type, encoding);
      begin = at + special->text.size();
      append(encoding, special->id, type, {static_cast<std::int32_t>(at), static_cast<std::int32_t>(begin)});
      at = begin;
    }
  }
  append_words(text, begin, text.size(), type, encoding);
}

void Tokenizer::append_words(std::string_view text, std::size_t begin, std::size_t end, std::int32_t type,
                             Encoding& encoding) const {
  const auto offset = static_cast<std::int32_t>(begin);
  const auto moved = [&](ByteSpan span) { return ByteSpan{span.begin + offset, span.end + offset}; };
  WordScanner words(normalizer_, text.substr(begin, end - begin));
  std::vector<WordPiece::Piece> pieces;
  while (words.next()) {
    pieces.clear();
    if (words.too_long() || !wordpiece_.split(words.word(), pieces)) {
      append(encoding, vocabulary_.unk(), type, moved(words.source()));
    }
    for (const auto& piece : pieces) append(encoding, piece.id, type, moved(words.source(piece.begin, piece.end)));
  }
}

}  // namespace tk
