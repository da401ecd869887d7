#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "transkimmer/training/scoring.h"
#include "transkimmer/training/task_model.h"
#include "transkimmer/training/trainer_options.h"

// One model for several speed-ups, each by its threshold (docs/model.md).
namespace tk {

/// Speed-ups that a model serves, and the one that it is left with.
struct SpeedupRange {
  std::vector<double> all = {};  ///< ascending; none of a model for one budget alone
  double chosen = 1;             ///< one of them
};

/// "4x", "2.5x"
std::string speedup_text(double speedup);
/// "_4x": of the names of what a model for several speed-ups has at one of them.
std::string speedup_suffix(double speedup);

/// What rows that were held out cost at the end of a run, as shares of the dense model's MACs; none where there are no
/// such rows.
struct HeldOutCosts {
  std::optional<double> chosen = {};  ///< at the speed-up that the model is left with
  std::vector<double> all = {};       ///< at each of several
};

/// Moves the gates' threshold so that held-out rows keep the budget, and of a model for several speed-ups keeps one for
/// each, and leaves it at the chosen one. Where no rows are held out the thresholds are those of training.
HeldOutCosts keep_budget(TaskModel& model, const Split& held_out, const TrainerOptions& trainer,
                         const SpeedupRange& speedups, const EvaluationOptions& options);

/// What `score` says at each of several speed-ups, with their suffixes; at the chosen one it has said `at_chosen`.
std::vector<std::vector<SplitScore>> scores_at_speedups(BertClassifier& model, const SpeedupRange& speedups,
                                                        const std::vector<SplitScore>& at_chosen,
                                                        const std::function<std::vector<SplitScore>()>& score);

}  // namespace tk
