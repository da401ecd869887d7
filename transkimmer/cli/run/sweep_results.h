#pragma once

#include <cstdint>
#include <filesystem>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "data/task.h"
#include "transkimmer/cli/run/sweep_jobs.h"

namespace tk {

/// What a model of a sweep came to, on the dev set where nothing else is said. Figures that are not there are NaN.
struct SweepRun {
  static constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

  Task task;
  std::uint64_t seed = 0;
  std::optional<double> speedup = {};  ///< none: dense
  double score = kNone;                ///< the task's headline
  double test_score = kNone;           ///< the same on the test rows
  double dense_score = kNone;          ///< of the dense model of the same seed
  double mac_share = kNone;            ///< of the dense model's multiply-accumulates, convention 2, unpadded
  double held_out_mac_share = kNone;   ///< the same on the training rows that the threshold was fitted on
  double time_unpadded = kNone;        ///< measured speed-up over the dense model with the same weights
  double time_padded = kNone;
  nlohmann::json metrics = nlohmann::json::object();       ///< all scores, as eval names them
  nlohmann::json test_metrics = nlohmann::json::object();  ///< those on the test rows
  nlohmann::json seconds = nlohmann::json::object();       ///< of the run's stages
  std::string folder = {};
};

/// Where what is known of a model at a speed-up lies: the folder of its finished run, and what `eval --json` wrote when
/// it was timed and when it was scored on the test rows, each if it is there.
struct SweepPaths {
  std::filesystem::path run;
  std::filesystem::path speed;
  std::filesystem::path test;
};

/// `speedup`: one of the job's, none of a dense model. Throws tk::Error, naming the file, where one is not what these
/// commands write.
SweepRun read_sweep_run(const SweepJob& job, std::optional<double> speedup, const Task& task, const SweepPaths& paths);

/// Sets each run's dense score from the dense run of its task and seed, where there is one.
void set_dense_scores(std::vector<SweepRun>& runs);

/// {"runs": [...]}, and each table and the means beside them.
nlohmann::json sweep_json(const std::vector<SweepRun>& runs);

/// Mean and range of the finite ones of several values; NaN of none.
struct Spread {
  double mean = SweepRun::kNone;
  double least = SweepRun::kNone;
  double most = SweepRun::kNone;
  std::int64_t count = 0;
};
Spread spread_of(const std::vector<double>& values);

/// A task's models of one kind, over the seeds.
struct SweepRow {
  std::optional<double> speedup = {};  ///< none: dense
  Spread score = {};
  Spread test_score = {};
  Spread change = {};  ///< score less the dense one of the same seed
  Spread mac_share = {};
  Spread budget_excess = {};  ///< MACs on dev over the budget's, less 1
  Spread time_unpadded = {};
};
/// The dense row first, then the budgets from the loosest to the tightest.
struct SweepTable {
  Task task;
  std::vector<SweepRow> rows;
  bool has_test() const;  ///< some models were scored on test rows
};
/// A table a task, in the runs' order.
std::vector<SweepTable> sweep_tables(const std::vector<SweepRun>& runs);

/// Means of the tasks' means; WNLI, on which models are at best as good as a constant answer, does not count.
struct SweepMean {
  std::optional<double> speedup = {};
  std::int64_t tasks = 0;  ///< that have such a row
  double score = SweepRun::kNone;
  double change = SweepRun::kNone;
  double mac_share = SweepRun::kNone;
  double time_unpadded = SweepRun::kNone;
};
std::vector<SweepMean> sweep_means(const std::vector<SweepTable>& tables);

/// "dense" or "4x"
std::string row_name(const std::optional<double>& speedup);

/// The tables and, of several tasks, the means, as text.
std::string sweep_text(const std::vector<SweepTable>& tables);

}  // namespace tk
