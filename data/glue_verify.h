#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "data/glue_task.h"

namespace tk {

enum class GlueFileStatus {
  kOk,          ///< as many rows as the official file
  kSubset,      ///< train-subset.tsv in the place of train.tsv
  kWrongCount,  ///< another number of rows
  kMissing,
  kBroken  ///< cannot be read; GlueFileReport::problem says why
};

/// "ok", "subset", "wrong count", "missing", "broken".
const char* name(GlueFileStatus status);

/// What was found of one file of a task.
struct GlueFileReport {
  const GlueTask* task;
  const SplitInfo* split;
  std::filesystem::path file;
  std::int64_t rows;  ///< usable ones; 0 unless it could be read
  std::int64_t expected;
  std::vector<std::int64_t> label_counts;  ///< by class id; empty without classes or labels
  GlueFileStatus status;
  std::string problem;
};

/// Reads every file of the task under `data_dir` and compares it with the official row counts; a bad file is a result
/// and does not throw.
std::vector<GlueFileReport> verify_task(const GlueTask& task, const std::filesystem::path& data_dir);

/// The same for all tasks; throws when `data_dir` is not a folder.
std::vector<GlueFileReport> verify_glue(const std::filesystem::path& data_dir);

}  // namespace tk
