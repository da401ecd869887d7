#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "transkimmer/cli/run/distill_flags.h"
#include "transkimmer/cli/run/placement.h"
#include "transkimmer/cli/run/speed.h"
#include "transkimmer/cli/run/training_run.h"
#include "transkimmer/training/teacher.h"

namespace tk {

class Reader;

/// A model to train, on what, and how.
struct TrainingJob {
  const Reader& reader;
  std::filesystem::path model_folder;
  Placement placement = {};
  std::int64_t max_seq_length = 128;
  bool data_notes = true;  ///< to say what the reader notes of its files
  std::int64_t max_train_samples = -1;
  std::int64_t max_eval_samples = -1;
  bool do_eval = true;
  bool report = true;
  std::optional<SkimSettings> skim = {};
  TeacherChoice teacher = {};
  DistillJob distill = {};
  std::int64_t least_tokens = 0;                         ///< training rows with fewer are left out
  std::optional<std::filesystem::path> checkpoint = {};  ///< to go on from; else the output folder's, if it goes on
  Resets resets = {};                                    ///< of what lies there
  TrainingSettings settings;
  // For the manifest:
  std::string command;
  nlohmann::json flags;
  nlohmann::json stages = {};  ///< what the run did before, if anything
};

/// What came of it.
struct TrainingOutcome {
  TaskModel model;
  std::vector<Split> dev = {};
  TrainingResult result = {};
  Teaching teaching = {};
  std::optional<SpeedComparison> speed = {};
};

/// Reads everything, trains, scores, times and writes all of a run's files to `folder`; null for a rank that does not
/// write.
TrainingOutcome run_training_job(const TrainingJob& job, OutputFolder* folder);

}  // namespace tk
