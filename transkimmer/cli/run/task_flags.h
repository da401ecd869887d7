#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "data/glue_task.h"
#include "data/own_reader.h"
#include "data/reader.h"
#include "transkimmer/cli/run/options.h"

namespace tk {

/// By Hugging Face's names for `problem_type`, and that of its task of tokens.
inline constexpr Choice<TaskKind> kTaskKinds[] = {{TaskKind::kClassification, "single_label_classification"},
                                                  {TaskKind::kMultiLabel, "multi_label_classification"},
                                                  {TaskKind::kRegression, "regression"},
                                                  {TaskKind::kTokens, "token_classification"}};
inline Choices<TaskKind> choices(TaskKind) { return kTaskKinds; }

/// Flags of every command that reads a task's data with a model: a task of GLUE, or files of one's own.
struct TaskFlags {
  std::string task_name;
  std::string data_dir;
  std::optional<std::string> train_file;
  std::optional<std::string> validation_file;
  std::optional<std::string> test_file;
  std::optional<std::string> text_columns;
  std::optional<std::string> label_column;
  std::optional<TaskKind> problem_type;
  std::optional<double> held_out_percentage;  ///< of the training rows, where there is no validation file
  std::string model;
  std::int64_t max_seq_length = 128;

  bool has_own_files() const { return train_file || validation_file || test_file; }
};

/// `needs_model`: the model has to be given.
void add_task_flags(Flags& flags, TaskFlags& task, bool needs_model = true);

/// What is wrong with them seen together, for a command that reads that part: kTrain to train, kDev to score, kTest to
/// predict.
std::vector<std::string> task_problems(const TaskFlags& task, Part part);

/// What own data are about, as --task_name says, in files and messages; "own" where it says nothing.
std::string own_name(const TaskFlags& task);

/// The task of GLUE that they name; null for own files and an unknown name.
const GlueTask* glue_task_of(const TaskFlags& task);

/// The part to score: the dev set, or of own files the test set where that is all there is.
Part scored_part(const TaskFlags& task);

/// The rows to train on. Of own files the labels say what the task is; a checkpoint whose labels hold all of them keeps
/// its own, in its order. `seed` names the rows held out where there is no dev file. Says on standard error which
/// columns were taken.
std::unique_ptr<Reader> training_reader(const TaskFlags& task, std::uint64_t seed);

/// The columns to read for a trained model: those named, else those that the run which trained it took.
OwnColumns columns_for(const TaskFlags& task);

/// The rows that a trained model is asked about. Of own files the model's configuration says what the task is.
std::unique_ptr<Reader> scoring_reader(const TaskFlags& task);

}  // namespace tk
