#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "transkimmer/cli/run/runtime.h"
#include "transkimmer/cli/run/speed.h"
#include "transkimmer/cli/run/teacher.h"
#include "transkimmer/cli/run/training_run.h"

namespace tk {

/// All that `transkimmer train` is told.
struct TrainingJob {
  const GlueTask& task;
  std::filesystem::path data_dir;
  std::filesystem::path model_folder;
  Placement placement = {};
  std::int64_t max_seq_length = 128;
  bool official_data = true;  ///< to say when files are not the complete official ones
  std::int64_t max_train_samples = -1;
  std::int64_t max_eval_samples = -1;
  bool do_eval = true;
  bool report = true;
  std::optional<SkimSettings> skim = {};
  TeacherChoice teacher = {};
  TrainingSettings settings;
  std::string command;   ///< for the manifest
  nlohmann::json flags;  ///< for the manifest
};

/// What came of it.
struct TrainingOutcome {
  TaskModel model;
  std::vector<TaskSplit> dev = {};
  TrainingResult result = {};
  Teaching teaching = {};
  std::optional<SpeedComparison> speed = {};
};

/// Reads everything, trains, scores, times and writes all of a run's files to `folder`.
TrainingOutcome run_training_job(const TrainingJob& job, OutputFolder& folder);

}  // namespace tk
