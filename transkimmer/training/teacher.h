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
  std::vector<std::filesystem::path> folders = {};  ///< model folders; of several, the mean of their logits teaches
  bool by_default = false;  ///< without a folder the starting model itself, if it is dense and fine-tuned for the task
  /// A file that keeps the logits of training examples and others. Where it holds those of the same teachers on the
  /// same rows, computed on the same kind of device, they are not computed again.
  std::optional<std::filesystem::path> cache = {};
};

/// What dense teachers say.
struct Teaching {
  std::string who = {};  ///< empty without a teacher
  Tensor logits = {};    ///< of all training examples and others, in the task's order of labels; undefined without one
  std::vector<SplitScore> scores = {};  ///< of the teachers' mean on `dev`
  bool from_cache = false;              ///< the logits were computed before
  double seconds = 0;
  std::vector<Note> notes = {};
};

/// Whether that choice gives a teacher.
bool has_teacher(const TeacherChoice& choice, const TaskModel& start);

/// Evaluates the teachers, their predictors left out, once on all training examples, on `others`, rows in the starting
/// model's tokens, and on `dev`. Throws where there are others and a teacher has another vocabulary.
Teaching teach(const TeacherChoice& choice, const TaskModel& start, const Split& train, const std::vector<Split>& dev,
               const EvaluationOptions& options, std::int64_t max_length,
               std::span<const TokenizedExample> others = {});

}  // namespace tk
