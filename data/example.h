#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "data/task.h"

namespace tk {

class Tokenizer;

/// One sentence, or pair of sentences, of a data set.
struct Example {
  std::int32_t id = 0;  ///< the row's place in its file, counted from 0; what a prediction's `index` refers to
  std::string text_a = {};
  std::string text_b = {};
  bool has_b = false;
  float label = -1;                            ///< class id, or the value for regression; -1 = none
  std::vector<std::int32_t> word_labels = {};  ///< tasks of tokens: class id of each word of text_a, which single
                                               ///< spaces separate; -1 = none
  std::vector<std::int32_t> applies = {};      ///< tasks of several labels: for each of the task's 1 or 0, or -1 where
                                               ///< that is not known
};

/// An example as token ids, [CLS] and [SEP] included.
struct TokenizedExample {
  std::int32_t id = 0;
  std::vector<std::int32_t> ids;
  std::vector<std::int32_t> token_types;  ///< 0 for the first sentence, 1 for the second
  float label = -1;
  std::vector<std::int32_t> token_labels = {};  ///< tasks of tokens: that of the word that begins at a token, else -1
  std::vector<std::int32_t> applies = {};       ///< as an Example's
};

/// The parts of a data set.
enum class Part : std::uint8_t { kTrain, kDev, kTest };

/// A file of a part, as text and (see tokenize) as tokens, in the same order.
struct Split {
  std::filesystem::path path = {};
  std::string suffix = {};  ///< behind its metrics' names, as Hugging Face has it: "_mm" for MNLI's mismatched files
  std::string note = {};    ///< what a person should know of the file; may be empty
  std::vector<Example> examples = {};
  std::vector<TokenizedExample> tokenized = {};

  std::int64_t size() const { return static_cast<std::int64_t>(examples.size()); }
};

/// Tokenizes in order, truncated to `max_length` tokens. The result does not depend on the number of threads. Throws
/// when an example has not as many word labels as words, or none.
std::vector<TokenizedExample> tokenize_examples(const Tokenizer& tokenizer, std::span<const Example> examples,
                                                std::int64_t max_length);

/// Fills split.tokenized; throws, naming the file, when the split has no examples.
void tokenize(Split& split, const Tokenizer& tokenizer, std::int64_t max_length);

/// The words of text_a, which single spaces separate.
std::vector<std::string_view> words_of(const Example& example);

/// At which token of the example, truncated to `max_length`, each word of text_a begins; -1 for a word that gave no
/// token: it was cut off, or holds nothing that a tokenizer keeps.
std::vector<std::int64_t> word_starts(const Tokenizer& tokenizer, const Example& example, std::int64_t max_length);

/// Throws, naming file and row, when an example has no label.
void check_labelled(const Split& split);

/// The number of tokens of each example.
std::vector<std::int64_t> lengths_of(std::span<const TokenizedExample> examples);

/// Where each example's rows of logits begin among those of all examples, and at the end how many there are: one an
/// example, or in tasks of tokens one a token.
std::vector<std::int64_t> label_starts(std::span<const TokenizedExample> examples, TaskKind kind);

/// What a task's predictions are scored against: the label of each example, or of each of all their tokens, or in tasks
/// of several labels what is known of each label of each example. Throws when an example has not as many of these as
/// tokens, or none.
std::vector<double> labels_of(std::span<const TokenizedExample> examples, TaskKind kind);

}  // namespace tk
