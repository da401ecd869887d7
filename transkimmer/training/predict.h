#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "transkimmer/training/evaluation.h"
#include "transkimmer/training/task_model.h"

namespace tk {

/// What a model says of a sentence or pair.
struct Prediction {
  std::string label = {};                  ///< name of the most likely class; empty for other tasks
  std::vector<std::string> labels = {};    ///< tasks of several labels: the names of those that apply
  double value = 0;                        ///< the class' probability; for regression the number itself
  std::vector<double> probabilities = {};  ///< of each of the task's labels; empty for regression
};

/// One prediction an example, texts cut behind `max_length` tokens or where the model's positions end. Throws for a
/// task of tokens.
std::vector<Prediction> predict(const TaskModel& model, std::span<const Example> examples,
                                const EvaluationOptions& options = {},
                                std::int64_t max_length = std::numeric_limits<std::int64_t>::max());
/// The same of single sentences.
std::vector<Prediction> predict(const TaskModel& model, const std::vector<std::string>& sentences,
                                const EvaluationOptions& options = {});

}  // namespace tk
