#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "data/example.h"
#include "transkimmer/cli/run/progress.h"
#include "transkimmer/training/evaluation.h"

namespace tk {

/// Times of several equal passes.
struct Timing {
  std::vector<double> seconds;

  double median() const;
  double least() const;
  double most() const;
};

/// Sentences a second of a model beside the dense model with its weights, unpadded and padded, at one batch size: the
/// passes alternate, so that the machine's moods reach all of them alike.
struct SpeedComparison {
  Timing model = {};
  Timing dense = {};
  Timing padded = {};
  std::int64_t sentences = 0;
  std::int64_t padded_sentences = 0;  ///< a padded sentence costs the same as any other, so fewer tell enough
  std::int64_t padded_length = 0;
  BatchBounds batch = {};

  double per_second() const { return static_cast<double>(sentences) / model.median(); }
  double dense_per_second() const { return static_cast<double>(sentences) / dense.median(); }
  double padded_per_second() const { return static_cast<double>(padded_sentences) / padded.median(); }
  double time_unpadded() const { return per_second() / dense_per_second(); }
  double time_padded() const { return per_second() / padded_per_second(); }
};

struct SpeedOptions {
  BatchBounds batch = {};
  int queues = 1;                     ///< as in EvaluationOptions
  bool exact_transforms = true;       ///< as in EvaluationOptions, for both models
  std::int64_t most_sentences = 256;  ///< taken evenly from the whole split
  int repeats = 3;                    ///< after a warm-up
  ProgressMode progress = ProgressMode::kAuto;
};

SpeedComparison compare_speed(const BertClassifier& model, const Task& task, const Split& split,
                              std::int32_t padding_id, const SpeedOptions& options);

/// Passes before times count: one to set up, and one in which a device that records does.
int warm_up_passes(Device device);

/// Sentences as a padded batch holds them: all of one length. The rows of padding are computed like any other.
std::vector<TokenizedExample> of_length(std::vector<TokenizedExample> examples, std::int64_t length,
                                        std::int32_t padding_id);

/// At most `count` of the examples, taken evenly.
std::vector<TokenizedExample> evenly_taken(const std::vector<TokenizedExample>& examples, std::int64_t count);

/// The three countings of a split, as a table: MACs against a padded and an unpadded dense model, and measured time.
std::string speed_text(const Evaluation& evaluation, const SpeedComparison& speed);

/// The same as entries of a results file, named eval_time_speedup_unpadded and the like.
nlohmann::json speed_results(const SpeedComparison& speed);

}  // namespace tk
