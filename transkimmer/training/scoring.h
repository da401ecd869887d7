#pragma once

#include <string>
#include <vector>

#include "data/metrics.h"
#include "transkimmer/training/evaluation.h"

namespace tk {

/// A split evaluated and scored.
struct SplitScore {
  std::string suffix;  ///< of the metrics' names: see Split
  std::int64_t examples = 0;
  double seconds = 0;  ///< of the whole pass
  Evaluation evaluation = {};
  std::vector<Metric> metrics = {};
};

/// The task's metrics of answers to a tokenized split, every example of which needs a label.
std::vector<Metric> metrics_of(const Task& task, const Tensor& logits, const Split& split);

/// Evaluates a tokenized split and computes the task's metrics; every example needs a label.
SplitScore score(const BertClassifier& model, const Task& task, const Split& split,
                 const EvaluationOptions& options = {});
std::vector<SplitScore> score_all(const BertClassifier& model, const Task& task, const std::vector<Split>& splits,
                                  const EvaluationOptions& options = {});

/// Moves the model's skim threshold so that evaluating the split costs at most `mac_share` of the dense model's MACs,
/// and as little below it as 12 halvings of [-16, 16] find. Labels are not read.
void fit_skim_threshold(BertClassifier& model, const Task& task, const Split& split, double mac_share,
                        const EvaluationOptions& options = {});

/// The headline score of the first split.
double headline(const Task& task, const std::vector<SplitScore>& scores);

}  // namespace tk
