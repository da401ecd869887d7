#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "transkimmer/cli/run/scoring.h"
#include "transkimmer/cli/run/task_model.h"

namespace tk {

/// Who teaches.
struct TeacherChoice {
  std::optional<std::string> folder;  ///< a model folder
  bool by_default = false;  ///< without a folder the starting model itself, if it is dense and fine-tuned for the task
};

/// What a dense teacher says.
struct Teaching {
  std::string who;  ///< empty without a teacher
  Tensor logits;    ///< [train examples, labels] in the task's order of labels; undefined without a teacher
  std::vector<SplitScore> scores;  ///< of the teacher on `dev`
  double seconds = 0;
};

/// Evaluates the teacher, its predictors left out, once on all training examples and on `dev`.
Teaching teach(const TeacherChoice& choice, const GlueTask& task, const TaskModel& start, const TaskSplit& train,
               const std::vector<TaskSplit>& dev, const ScoringOptions& options, std::int64_t max_length);

}  // namespace tk
