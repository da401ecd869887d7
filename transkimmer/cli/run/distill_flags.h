#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "data/task.h"
#include "transkimmer/cli/run/distill_texts.h"
#include "transkimmer/cli/run/options.h"
#include "transkimmer/training/distill_rows.h"

namespace tk {

/// Flags of text without labels, on which a teacher's answers are learnt. What is not given is up to the command.
struct DistillFlags {
  std::optional<std::string> tasks = {};
  std::optional<std::string> files = {};
  std::optional<std::int64_t> pairs = {};
  std::optional<std::int64_t> corrupt = {};
  std::int64_t samples = DistillText{}.samples;
  std::optional<double> own_share = {};
};

/// `otherwise` says what becomes of each of the flags that has no default: "0", say.
struct DistillDefaults {
  std::string tasks = "none";
  std::string pairs = "0";
  std::string corrupt = "0";
  std::string own_share = "0.25";
};
void add_distill_flags(Flags& flags, DistillFlags& distill, const DistillDefaults& otherwise = {});

/// Rows without labels beside a task's own.
struct DistillJob {
  DistillSources sources = {};
  DistillText text = {};    ///< but for its texts, which are the sources'
  double own_share = 0.25;  ///< of an epoch

  bool makes_rows() const {
    return !sources.tasks.empty() || !sources.files.empty() || text.pairs > 0 || text.corrupt > 0;
  }
};
/// What the flags ask for; where they are silent there is nothing.
DistillJob distill_job(const DistillFlags& distill, const std::filesystem::path& data_dir, std::uint64_t seed);

/// What is wrong with it for a task, a line for each problem, with its flag.
std::vector<std::string> distill_problems(const DistillJob& job, const Task& task);

}  // namespace tk
