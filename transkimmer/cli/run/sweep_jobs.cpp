#include "transkimmer/cli/run/sweep_jobs.h"

#include <fmt/format.h>

namespace tk {
namespace {

// The place of a task's dense model, which is made with those that it starts from unless it is there.
std::size_t dense_job(std::vector<SweepJob>& jobs, const std::string& task, std::uint64_t seed,
                      const std::string& start) {
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    if (jobs[i].task == task && jobs[i].seed == seed && !jobs[i].speedup) return i;
  }
  SweepJob job{.task = task, .seed = seed};
  if (!start.empty()) job.needs = {dense_job(jobs, start, seed, "")};
  jobs.push_back(std::move(job));
  return jobs.size() - 1;
}

}  // namespace

std::string speedup_text(double speedup) { return fmt::format("{:g}x", speedup); }

std::string SweepJob::name() const {
  return fmt::format("{}-{}-{}", task, speedup ? speedup_text(*speedup) : "dense", seed);
}

std::vector<SweepJob> sweep_jobs(const SweepGrid& grid,
                                 const std::function<std::string(const std::string&)>& start_of) {
  std::vector<SweepJob> jobs;
  for (const std::string& task : grid.tasks) {
    const std::string start = start_of(task);
    for (const std::uint64_t seed : grid.seeds) {
      if (!start.empty()) dense_job(jobs, start, seed, "");
    }
  }
  for (const std::string& task : grid.tasks) {
    for (const std::uint64_t seed : grid.seeds) dense_job(jobs, task, seed, start_of(task));
  }
  for (const std::string& task : grid.tasks) {
    for (const double speedup : grid.speedups) {
      for (const std::uint64_t seed : grid.seeds) {
        jobs.push_back({.task = task, .seed = seed, .speedup = speedup, .needs = {dense_job(jobs, task, seed, "")}});
      }
    }
  }
  return jobs;
}

}  // namespace tk
