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
  const auto is_added = [&](std::string_view text) {
    return std::ranges::count(options_.added_tokens, text, &AddedToken::text) > 0;
  };
  for (const std::string_view text : kSpecialTokens) {
    const auto id = vocabulary_.find(text);
    if (id && !is_added(text)) add({.text = std::string(text), .special = true}, *id);
  }
  for (const AddedToken& token : options_.added_tokens) add(token, vocabulary_.add(token.text));
}

void Tokenizer::add(const AddedToken& token, std::int32_t id) {
  if (token.special && options_.split_special_tokens) return;
  if (!token.normalized) return as_they_stand_.add(token.text, token, id);
  std::string spelling = normalized(normalizer_, token.text).text;
  if (!spelling.empty()) normalized_.add(std::move(spelling), token, id);
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

void Tokenizer::append_text(std::string_view text, std::int32_t type, Encoding& encoding) const {
  std::size_t begin = 0;
  while (!as_they_stand_.empty()) {
    const auto found = as_they_stand_.next(text, begin);
    if (!found) break;
    append_normalized(text, begin, found->begin, type, encoding);
    append(encoding, found->id, type, {static_cast<std::int32_t>(found->begin), static_cast<std::int32_t>(found->end)});
    begin = found->end;
  }
  append_normalized(text, begin, text.size(), type, encoding);
}

// Tokens of the normalised text; what lies between them is read from the text itself.
void Tokenizer::append_normalized(std::string_view text, std::size_t begin, std::size_t end, std::int32_t type,
                                  Encoding& encoding) const {
  if (!normalized_.empty() && begin < end) {
    const NormalizedText part = normalized(normalizer_, text.substr(begin, end - begin));
    const std::size_t offset = begin;
    for (auto found = normalized_.next(part.text, 0); found; found = normalized_.next(part.text, found->end)) {
      // Not before what is done: one character may become several, and each be a token.
      const std::size_t first = std::max(begin, offset + static_cast<std::size_t>(part.sources[found->begin].begin));
      append_words(text, begin, first, type, encoding);
      begin = offset + static_cast<std::size_t>(part.sources[found->end - 1].end);
      append(encoding, found->id, type, {static_cast<std::int32_t>(first), static_cast<std::int32_t>(begin)});
    }
  }
  append_words(text, begin, end, type, encoding);
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
