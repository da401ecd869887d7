#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "data/glue_task.h"

namespace tk {

class Tokenizer;

/// One sentence, or pair of sentences, of a data set.
struct Example {
  std::int32_t id = 0;  ///< the row's place in its file, counted from 0; what a prediction's `index` refers to
  std::string text_a;
  std::string text_b;
  bool has_b = false;
  float label = -1;  ///< class id, or the value for regression; -1 = none
};

/// A split's examples and what was found in the file.
struct SplitExamples {
  std::filesystem::path path;
  bool subset = false;        ///< read from train-subset.tsv
  std::int64_t rows = 0;      ///< of the file, header and empty lines apart; ids lie in [0, rows)
  std::int64_t skipped = 0;   ///< malformed rows among them, which have an id but no example
  std::int64_t expected = 0;  ///< usable rows of the official file
  std::vector<Example> examples;

  /// Whether the file has as many usable rows as the official one.
  bool complete() const { return rows - skipped == expected; }
};

/// Reads the first `limit` examples of a split (all when negative); the whole file is checked all the same.
///
/// A first line that names at least one needed column is the header; columns that no header names are taken by their
/// official index. Throws, naming file and line, on an unknown label or score, invalid UTF-8, or a row that lacks a
/// needed field, and when no row is left. QQP's official files hold rows that lack fields: there these are skipped,
/// provided that what is left is the official count. A file with another number of rows is read (see complete()).
SplitExamples read_examples(const GlueTask& task, const SplitInfo& split, const SplitFile& file,
                            std::int64_t limit = -1);

/// The same for the file found in `data_dir`.
SplitExamples read_examples(const GlueTask& task, const std::filesystem::path& data_dir, Split split,
                            std::int64_t limit = -1);

/// What to tell the user when the file is not the complete official one ("D/QNLI/train-subset.tsv has 20534 rows, the
/// official file 104743"), else empty.
std::string incomplete_note(const SplitExamples& split);

/// The number of examples of each class id of a classification task (without those that have no label).
std::vector<std::int64_t> label_counts(const GlueTask& task, const std::vector<Example>& examples);

/// An example as token ids, [CLS] and [SEP] included.
struct TokenizedExample {
  std::int32_t id = 0;
  std::vector<std::int32_t> ids;
  std::vector<std::int32_t> token_types;  ///< 0 for the first sentence, 1 for the second
  float label = -1;
};

/// Tokenizes in order, truncated to `max_length` tokens, on at most `threads` threads (0 = as many as OpenMP offers).
/// The result does not depend on their number.
std::vector<TokenizedExample> tokenize_examples(const Tokenizer& tokenizer, const std::vector<Example>& examples,
                                                std::int64_t max_length, int threads = 0);

/// The number of tokens of each example.
std::vector<std::int64_t> lengths_of(const std::vector<TokenizedExample>& examples);

/// The label of each example, for compute_metrics.
std::vector<double> labels_of(const std::vector<TokenizedExample>& examples);

}  // namespace tk
