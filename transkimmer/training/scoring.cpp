#include "transkimmer/training/scoring.h"

#include <chrono>
#include <optional>

#include "transkimmer/classifier.h"
#include "transkimmer/training/inference.h"

namespace tk {

std::vector<Metric> metrics_of(const Task& task, const Tensor& logits, const Split& split) {
  return compute_metrics(task, predictions_from_logits(task, logits), labels_of(split.tokenized, task.kind),
                         label_starts(split.tokenized, task.kind));
}

SplitScore score(const BertClassifier& model, const Task& task, const Split& split, const EvaluationOptions& options) {
  const auto start = std::chrono::steady_clock::now();
  SplitScore result{.suffix = split.suffix, .examples = split.size()};
  result.evaluation = evaluate(model, task, split.tokenized, options);
  result.metrics = metrics_of(task, result.evaluation.logits, split);
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return result;
}

std::vector<SplitScore> score_all(const BertClassifier& model, const Task& task, const std::vector<Split>& splits,
                                  const EvaluationOptions& options) {
  std::vector<SplitScore> scores;
  for (const Split& split : splits) scores.push_back(score(model, task, split, options));
  return scores;
}

void fit_skim_threshold(BertClassifier& model, const Task& task, const Split& split, double mac_share,
                        const EvaluationOptions& options) {
  std::optional<Inference> of_this_fit;  // recorded passes follow the threshold
  EvaluationOptions all = options;
  if (all.inference == nullptr)
    all.inference = &of_this_fit.emplace(
        model, InferenceOptions{.queues = options.queues, .exact_transforms = options.exact_transforms});
  double low = -16, high = 16;  // costs too much at `low`, not at `high`
  for (int halving = 0; halving < 12; ++halving) {
    const double middle = (low + high) / 2;
    model.set_skim_threshold(middle);
    (evaluate(model, task, split.tokenized, all).mac_share() > mac_share ? low : high) = middle;
  }
  model.set_skim_threshold(high);
}

double headline(const Task& task, const std::vector<SplitScore>& scores) {
  return headline(task, scores.front().metrics);
}

}  // namespace tk
