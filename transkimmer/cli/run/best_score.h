#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

namespace tk {

/// Which of a run's models is the best, as transformers' Trainer and EarlyStoppingCallback find it.
struct BestModelOptions {
  bool load_at_end = false;                   ///< the best one is the run's result, not the last
  std::optional<std::string> metric = {};     ///< a key of the evaluations, with or without "eval_"
  std::optional<bool> greater = {};           ///< not given: unless the metric's name ends with "loss"
  std::optional<std::int64_t> patience = {};  ///< evaluations without a better score after which the run stops
  double threshold = 0;                       ///< by how much more than this a score must be better for that

  /// The evaluations' key: that of the metric, else "eval_loss".
  std::string key() const;
  bool greater_is_better() const;
};

/// The best score so far. It follows from the evaluations alone, so a resumed run takes them from its log.
class BestScore {
 public:
  explicit BestScore(const BestModelOptions& options) : options_(options) {}

  /// Takes an evaluation's row of the log, with its step; whether it is a new best. A score that is not defined is not
  /// better than any.
  bool note(const nlohmann::json& row);

  std::optional<double> score() const { return score_; }
  /// After which the best score was.
  std::optional<std::int64_t> step() const { return step_; }
  /// Whether no score was better by more than the threshold for as many evaluations as patience allows.
  bool is_patience_over() const { return options_.patience && waited_ >= *options_.patience; }

 private:
  BestModelOptions options_;
  std::optional<double> score_;
  std::optional<std::int64_t> step_;
  std::int64_t waited_ = 0;
};

}  // namespace tk
