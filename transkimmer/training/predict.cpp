#include "transkimmer/training/predict.h"

#include "data/metrics.h"
#include "tensor/error.h"
#include "tensor/ops/softmax.h"
#include "tensor/scalar_math.h"

namespace tk {
namespace {

// Each label by itself: applies [examples task.outputs()].
std::vector<Prediction> predicted_labels(const Task& task, const Tensor& logits, std::span<const double> applies) {
  std::vector<Prediction> predictions;
  const auto several = static_cast<std::size_t>(task.outputs());
  for (std::int64_t i = 0; i < logits.size(0); ++i) {
    Prediction prediction{.labels =
                              applying_labels(task, applies.subspan(static_cast<std::size_t>(i) * several, several))};
    for (const double x : logits.select(0, i).to(DType::kFloat64).to_vector<double>()) {
      prediction.probabilities.push_back(math::sigmoid(x));
    }
    predictions.push_back(std::move(prediction));
  }
  return predictions;
}

}  // namespace

std::vector<Prediction> predict(const TaskModel& model, std::span<const Example> examples,
                                const EvaluationOptions& options, std::int64_t max_length) {
  const Task& task = model.task;
  TK_CHECK(task.kind != TaskKind::kTokens, "predict: expected a model of sentences, got one of tokens");
  const std::int64_t length = fitting_length(model, max_length);
  const Tensor logits =
      evaluate(*model.model, task, tokenize_examples(model.tokenizer, examples, length), options).logits;
  const std::vector<double> best = predictions_from_logits(task, logits);
  std::vector<Prediction> predictions;
  if (task.regression()) {
    for (const double value : best) predictions.push_back({.value = value});
    return predictions;
  }
  if (task.kind == TaskKind::kMultiLabel) return predicted_labels(task, logits, best);
  const Tensor probabilities = softmax(logits.to(DType::kFloat64));
  for (std::size_t i = 0; i < best.size(); ++i) {
    const auto label = static_cast<std::size_t>(best[i]);
    Prediction prediction{.label = task.labels[label]};
    prediction.probabilities = probabilities.select(0, static_cast<std::int64_t>(i)).to_vector<double>();
    prediction.value = prediction.probabilities[label];
    predictions.push_back(std::move(prediction));
  }
  return predictions;
}

std::vector<Prediction> predict(const TaskModel& model, const std::vector<std::string>& sentences,
                                const EvaluationOptions& options) {
  std::vector<Example> examples;
  for (const std::string& sentence : sentences) {
    examples.push_back({.id = static_cast<std::int32_t>(examples.size()), .text_a = sentence});
  }
  return predict(model, std::span<const Example>(examples), options);
}

}  // namespace tk
