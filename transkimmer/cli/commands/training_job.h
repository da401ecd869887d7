#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "transkimmer/cli/run/distill_texts.h"
#include "transkimmer/cli/run/placement.h"
#include "transkimmer/cli/run/speed.h"
#include "transkimmer/cli/run/training_run.h"
#include "transkimmer/training/distill_rows.h"
#include "transkimmer/training/teacher.h"

namespace tk {

class Reader;

/// Rows without labels beside the task's own.
struct DistillJob {
  DistillSources sources = {};
  DistillText text = {};    ///< but for its texts, which are the sources'
  double own_share = 0.25;  ///< of an epoch
};

/// All that `transkimmer train` is told.
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
  std::optional<DistillJob> distill = {};
  TrainingSettings settings;
  std::string command;   ///< for the manifest
  nlohmann::json flags;  ///< for the manifest
};

/// What came of it.
struct TrainingOutcome {
  TaskModel model;
  std::vector<Split> dev = {};
  TrainingResult result = {};
  Teaching teaching = {};
  std::optional<SpeedComparison> speed = {};
};

/// Reads everything, trains, scores, times and writes all of a run's files to `folder`.
TrainingOutcome run_training_job(const TrainingJob& job, OutputFolder& folder);

}  // namespace tk
