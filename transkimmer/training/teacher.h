#pragma once

#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "transkimmer/training/scoring.h"
#include "transkimmer/training/task_model.h"

namespace tk {

/// Who teaches.
struct TeacherChoice {
  std::optional<std::filesystem::path> folder = {};  ///< a model folder
  bool by_default = false;  ///< without a folder the starting model itself, if it is dense and fine-tuned for the task
};

/// What a dense teacher says.
struct Teaching {
  std::string who = {};  ///< empty without a teacher
  Tensor logits = {};    ///< of all training examples and others, in the task's order of labels; undefined without one
  std::vector<SplitScore> scores = {};  ///< of the teacher on `dev`
  double seconds = 0;
  std::vector<Note> notes = {};
};

/// Whether that choice gives a teacher.
bool has_teacher(const TeacherChoice& choice, const TaskModel& start);

/// Evaluates the teacher, its predictors left out, once on all training examples, on `others`, rows in the starting
/// model's tokens, and on `dev`. Throws where there are others and the teacher has another vocabulary.
Teaching teach(const TeacherChoice& choice, const TaskModel& start, const Split& train, const std::vector<Split>& dev,
               const EvaluationOptions& options, std::int64_t max_length,
               std::span<const TokenizedExample> others = {});

}  // namespace tk
