#include "data/example.h"

#include <omp.h>

#include <algorithm>
#include <exception>
#include <optional>
#include <utility>

#include "data/tokenizer.h"
#include "tensor/error.h"

namespace tk {
namespace {

// The label of each word goes to the token that begins it. A word that gave no token (it was cut, or holds nothing
// that a tokenizer keeps) has none.
std::vector<std::int32_t> token_labels(const Example& example, const Encoding& encoding) {
  std::vector<std::int32_t> labels(encoding.ids.size(), -1);
  std::size_t word = 0;
  std::int32_t end = 0;  // of the words passed: those of tokens rise with them
  std::int32_t begin = -1;
  for (std::size_t i = 0; i < encoding.ids.size(); ++i) {
    const ByteSpan source = encoding.sources[i];
    if (source.begin == source.end || encoding.token_types[i] != 0) continue;
    while (end <= source.begin && word < example.word_labels.size()) {
      begin = end == 0 ? 0 : end + 1;
      end = static_cast<std::int32_t>(
          std::min(example.text_a.find(' ', static_cast<std::size_t>(begin)), example.text_a.size()));
      ++word;
      if (source.begin < end) labels[i] = example.word_labels[word - 1];
    }
  }
  return labels;
}

TokenizedExample tokenize_example(const Tokenizer& tokenizer, const Example& example, std::int64_t max_length) {
  const auto second = example.has_b ? std::optional<std::string_view>(example.text_b) : std::nullopt;
  Encoding encoding = tokenizer.encode(example.text_a, second, max_length);
  std::vector<std::int32_t> labels;
  if (!example.word_labels.empty()) labels = token_labels(example, encoding);
  return {example.id, std::move(encoding.ids), std::move(encoding.token_types), example.label, std::move(labels)};
}

}  // namespace

std::vector<TokenizedExample> tokenize_examples(const Tokenizer& tokenizer, std::span<const Example> examples,
                                                std::int64_t max_length, int threads) {
  std::vector<TokenizedExample> tokenized(examples.size());
  std::exception_ptr failure;  // an exception must not leave the parallel region
  const int most = threads > 0 ? threads : omp_get_max_threads();
#pragma omp parallel for num_threads(most) schedule(dynamic, 64)
  for (std::int64_t i = 0; i < std::ssize(examples); ++i) {
    try {
      tokenized[i] = tokenize_example(tokenizer, examples[i], max_length);
    } catch (...) {
#pragma omp critical(tk_tokenize_examples)
      failure = std::current_exception();
    }
  }
  if (failure) std::rethrow_exception(failure);
  return tokenized;
}

void tokenize(Split& split, const Tokenizer& tokenizer, std::int64_t max_length) {
  TK_CHECK(!split.examples.empty(), split.path.string(), ": no examples are left");
  split.tokenized = tokenize_examples(tokenizer, split.examples, max_length);
}

void check_labelled(const Split& split) {
  for (const Example& example : split.examples) {
    TK_CHECK(example.label != -1 || !example.word_labels.empty(), split.path.string(), ": row ", example.id,
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
    if (kind != TaskKind::kTokens) {
      labels.push_back(example.label);
    } else if (example.token_labels.empty()) {
      labels.insert(labels.end(), example.ids.size(), -1);
    } else {
      labels.insert(labels.end(), example.token_labels.begin(), example.token_labels.end());
    }
  }
  return labels;
}

}  // namespace tk
