#include "data/example.h"

#include <algorithm>
#include <numeric>
#include <optional>
#include <utility>

#include "data/tokenizer.h"
#include "tensor/error.h"
#include "tensor/parallel_for.h"
#include "tensor/threads.h"

namespace tk {
namespace {

// Where each word of a text begins, and at the end where one more would: single spaces separate them.
std::vector<std::size_t> word_begins(std::string_view text) {
  std::vector<std::size_t> begins = {0};
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == ' ') begins.push_back(i + 1);
  }
  begins.push_back(text.size() + 1);
  return begins;
}

// The label of each word goes to the token that begins it. A word that gave no token (it was cut, or holds nothing
// that a tokenizer keeps) has none.
std::vector<std::int32_t> token_labels(const Example& example, const Encoding& encoding) {
  const std::vector<std::size_t> begins = word_begins(example.text_a);
  TK_CHECK(begins.size() == example.word_labels.size() + 1, "tokenize: example ", example.id, " has ",
           begins.size() - 1, " words, which single spaces separate, and ", example.word_labels.size(), " labels");
  std::vector<std::int32_t> labels(encoding.ids.size(), -1);
  std::size_t next = 0;  // the first word of which no token was seen
  for (std::size_t i = 0; i < encoding.ids.size(); ++i) {
    const ByteSpan source = encoding.sources[i];
    const auto begin = static_cast<std::size_t>(source.begin);
    if (source.begin == source.end || encoding.token_types[i] != 0 || begin < begins[next]) continue;
    while (begin >= begins[next + 1]) ++next;
    labels[i] = example.word_labels[next++];
  }
  return labels;
}

TokenizedExample tokenize_example(const Tokenizer& tokenizer, const Example& example, std::int64_t max_length) {
  const auto second = example.has_b ? std::optional<std::string_view>(example.text_b) : std::nullopt;
  Encoding encoding = tokenizer.encode(example.text_a, second, max_length);
  std::vector<std::int32_t> labels;
  if (!example.word_labels.empty()) labels = token_labels(example, encoding);
  return {.id = example.id,
          .ids = std::move(encoding.ids),
          .token_types = std::move(encoding.token_types),
          .label = example.label,
          .token_labels = std::move(labels),
          .applies = example.applies};
}

}  // namespace

std::vector<std::string_view> words_of(const Example& example) {
  const std::vector<std::size_t> begins = word_begins(example.text_a);
  std::vector<std::string_view> words;
  for (std::size_t i = 0; i + 1 < begins.size(); ++i) {
    words.push_back(std::string_view(example.text_a).substr(begins[i], begins[i + 1] - begins[i] - 1));
  }
  return words;
}

// Each word's number goes where its label would.
std::vector<std::int64_t> word_starts(const Tokenizer& tokenizer, const Example& example, std::int64_t max_length) {
  Example numbered = example;
  numbered.word_labels.resize(words_of(example).size());
  std::iota(numbered.word_labels.begin(), numbered.word_labels.end(), 0);
  const TokenizedExample tokenized = tokenize_example(tokenizer, numbered, max_length);
  std::vector<std::int64_t> starts(numbered.word_labels.size(), -1);
  for (std::size_t token = 0; token < tokenized.token_labels.size(); ++token) {
    const std::int32_t word = tokenized.token_labels[token];
    if (word >= 0) starts[static_cast<std::size_t>(word)] = static_cast<std::int64_t>(token);
  }
  return starts;
}

std::vector<TokenizedExample> tokenize_examples(const Tokenizer& tokenizer, std::span<const Example> examples,
                                                std::int64_t max_length) {
  std::vector<TokenizedExample> tokenized(examples.size());
  parallel_for(std::ssize(examples), num_threads(),
               [&](std::int64_t i) { tokenized[i] = tokenize_example(tokenizer, examples[i], max_length); });
  return tokenized;
}

void tokenize(Split& split, const Tokenizer& tokenizer, std::int64_t max_length) {
  TK_CHECK(!split.examples.empty(), split.path.string(), ": no examples are left");
  split.tokenized = tokenize_examples(tokenizer, split.examples, max_length);
}

void check_labelled(const Split& split) {
  for (const Example& example : split.examples) {
    const bool is_known = !example.applies.empty() && std::ranges::find(example.applies, -1) == example.applies.end();
    TK_CHECK(example.label != -1 || !example.word_labels.empty() || is_known, split.path.string(), ": row ", example.id,
             " has no label");
  }
}

std::vector<std::int64_t> lengths_of(std::span<const TokenizedExample> examples) {
  std::vector<std::int64_t> lengths;
  lengths.reserve(examples.size());
  for (const TokenizedExample& example : examples) lengths.push_back(std::ssize(example.ids));
  return lengths;
}

std::vector<std::int64_t> label_starts(std::span<const TokenizedExample> examples, TaskKind kind) {
  std::vector<std::int64_t> starts = {0};
  starts.reserve(examples.size() + 1);
  for (const TokenizedExample& example : examples) {
    starts.push_back(starts.back() + (kind == TaskKind::kTokens ? std::ssize(example.ids) : 1));
  }
  return starts;
}

std::vector<double> labels_of(std::span<const TokenizedExample> examples, TaskKind kind) {
  std::vector<double> labels;
  labels.reserve(examples.size());
  for (const TokenizedExample& example : examples) {
    if (kind == TaskKind::kMultiLabel) {
      labels.insert(labels.end(), example.applies.begin(), example.applies.end());
    } else if (kind != TaskKind::kTokens) {
      labels.push_back(example.label);
    } else if (example.token_labels.empty()) {
      labels.insert(labels.end(), example.ids.size(), -1);
    } else {
      TK_CHECK(example.token_labels.size() == example.ids.size(), "labels_of: example ", example.id, " has ",
               example.ids.size(), " tokens and ", example.token_labels.size(), " labels");
      labels.insert(labels.end(), example.token_labels.begin(), example.token_labels.end());
    }
  }
  return labels;
}

}  // namespace tk
