#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace tk {

/// What is asked of an example.
enum class TaskKind : std::uint8_t {
  kClassification,  ///< one of several classes
  kMultiLabel,      ///< which of several labels apply: any number of them
  kRegression,      ///< a number
  kTokens           ///< one of several classes for each word
};

/// What a model learns and how it is scored, wherever the rows come from (data/reader.h).
struct Task {
  std::string name = {};  ///< in messages, in files' names and in a model's configuration: "sst2"
  TaskKind kind = TaskKind::kClassification;
  int texts = 1;                                    ///< of an example: a sentence, or a pair
  std::vector<std::string> labels = {};             ///< names in the order of class ids; empty for regression
  std::vector<std::string> metrics = {"accuracy"};  ///< Hugging Face's keys, without combined_score
  std::string headline = "accuracy";                ///< the one score that stands for the task
  std::int64_t padded_length = 128;  ///< that the literature pads to when it counts FLOPs of a padded BERT
  std::string title = {};            ///< what people call it: "SST-2"; empty: its name

  const std::string& shown_name() const { return title.empty() ? name : title; }
  bool regression() const { return kind == TaskKind::kRegression; }
  /// The mean of several metrics is one, too: Hugging Face's combined_score.
  bool has_combined_score() const {
    return metrics.size() > 1 && (kind == TaskKind::kClassification || kind == TaskKind::kRegression);
  }
  /// Numbers that a model gives for an example, or for a token.
  std::int64_t outputs() const { return regression() ? 1 : static_cast<std::int64_t>(labels.size()); }
};

}  // namespace tk
