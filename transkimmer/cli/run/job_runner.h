#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "transkimmer/cli/run/job_pool.h"
#include "transkimmer/cli/run/progress.h"

namespace tk {

/// A run of this program as a process of its own.
struct Job {
  std::string name;
  std::string kind = {};  ///< jobs of one kind take alike long
  std::vector<std::string> arguments;
  std::filesystem::path log;            ///< what it says goes to the end of this file
  std::filesystem::path output = {};    ///< what it says on standard output, once it has ended well; empty: to the log
  std::vector<std::size_t> needs = {};  ///< places in the list of those that must have ended well before, all before it
  bool is_done = false;                 ///< it need not run
  bool stops_in_time = false;           ///< it takes --time_limit
};

/// A job that did not end well: how, and the last line of its log.
struct JobFailure {
  std::string name;
  std::string text;
};

struct JobsEnded {
  std::vector<bool> is_good;  ///< of each job
  std::vector<JobFailure> failures;
  std::int64_t left_out = 0;  ///< not begun, for one that they need failed
};

/// Runs the jobs, at most `most` side by side and as many as `pool` has room for, each that can with the time that is
/// left to `deadline`; says on standard error which began and ended, how many are left and for how long. One that fails
/// does not keep others from running, but those that need it. A signal that asks to stop is sent on, and one that its
/// time limit ended keeps others from beginning; when all have ended, throws Interrupted.
JobsEnded run_jobs(const std::vector<Job>& jobs, JobPool& pool, std::int64_t most, ProgressMode progress,
                   std::optional<std::chrono::steady_clock::time_point> deadline = {});

}  // namespace tk
