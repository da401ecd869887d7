#pragma once

#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <vector>

#include "transkimmer/cli/run/progress.h"
#include "transkimmer/cli/run/task_data.h"
#include "transkimmer/training/evaluation.h"

namespace tk {

/// A split evaluated and scored.
struct SplitScore {
  std::string suffix;  ///< of the metrics' names: see TaskSplit
  std::int64_t examples = 0;
  std::int64_t batches = 0;
  double seconds = 0;  ///< of the whole pass
  Evaluation evaluation = {};
  std::vector<Metric> metrics = {};
};

struct ScoringOptions {
  std::int64_t batch_size = 32;
  int queues = 1;  ///< as in EvaluationOptions
  ProgressMode progress = ProgressMode::kAuto;
};

/// One pass over a split, with a progress bar; throws Interrupted when a signal asks to stop.
Evaluation evaluate_split(const BertClassifier& model, const GlueTask& task, const TaskSplit& split,
                          const ScoringOptions& options);
/// The same with the task's metrics; every example needs a label.
SplitScore score(const BertClassifier& model, const GlueTask& task, const TaskSplit& split,
                 const ScoringOptions& options);
/// Moves the model's skim threshold so that evaluating the split costs at most `mac_share` of the dense model's MACs,
/// and as little below it as 12 halvings of [-16, 16] find. Labels are not read.
void fit_skim_threshold(BertClassifier& model, const GlueTask& task, const TaskSplit& split, double mac_share,
                        const ScoringOptions& options);
std::vector<SplitScore> score_all(const BertClassifier& model, const GlueTask& task,
                                  const std::vector<TaskSplit>& splits, const ScoringOptions& options);

/// Hugging Face's eval_... keys with theirs roundings, then ours: eval_mac_share and the like.
nlohmann::json eval_results(const std::vector<SplitScore>& scores);

/// The headline score; for MNLI that of the matched set.
double headline(const GlueTask& task, const std::vector<SplitScore>& scores);

/// "*****  eval metrics *****" and the entries as aligned "key = value" lines, as Hugging Face prints them.
std::string metrics_text(const std::string& title, const nlohmann::json& results);

/// What a table of a split's layers shows: the shares of all tokens that each one read, updated and fed forward.
std::string layers_text(const Evaluation& evaluation, bool staged);
/// The same as a list of {"keys": ..., "updated": ..., "fed": ...}.
nlohmann::json layers_json(const Evaluation& evaluation);

}  // namespace tk
