#include "transkimmer/cli/run/sweep_jobs.h"

#include <fmt/format.h>

#include <optional>
#include <utility>

namespace tk {
namespace {

using StartOf = std::function<SweepStart(const std::string&)>;

class JobList {
 public:
  explicit JobList(const StartOf& start_of) : start_of_(start_of) {}

  // The place of a task's dense model, which is made with what it starts from unless it is there.
  std::size_t dense(const std::string& task, std::uint64_t seed) {
    if (const auto place = find(task, seed, {})) return *place;
    SweepJob job{.task = task, .seed = seed};
    const SweepStart start = start_of_(task);
    if (!start.task.empty() && !start.is_there) job.needs = {dense(start.task, seed)};
    return add(std::move(job));
  }

  // The same of a skimmed one; `is_there`: the checkpoint will do as its dense one.
  std::size_t skimmed(const std::string& task, const std::vector<double>& speedups, std::uint64_t seed,
                      bool is_there = false) {
    if (const auto place = find(task, seed, speedups)) return *place;
    SweepJob job{.task = task, .seed = seed, .speedups = speedups};
    if (!is_there || find(task, seed, {})) job.needs = {dense(task, seed)};
    const SweepStart start = start_of_(task);
    if (start.gates) job.needs.push_back(skimmed(start.task, speedups, seed, start.is_there));
    return add(std::move(job));
  }

  std::vector<SweepJob> take() { return std::move(jobs_); }

 private:
  std::optional<std::size_t> find(const std::string& task, std::uint64_t seed,
                                  const std::vector<double>& speedups) const {
    for (std::size_t i = 0; i < jobs_.size(); ++i) {
      if (jobs_[i].task == task && jobs_[i].seed == seed && jobs_[i].speedups == speedups) return i;
    }
    return std::nullopt;
  }

  std::size_t add(SweepJob job) {
    jobs_.push_back(std::move(job));
    return jobs_.size() - 1;
  }

  const StartOf& start_of_;
  std::vector<SweepJob> jobs_;
};

}  // namespace

std::string SweepJob::name() const {
  return fmt::format("{}-{}-{}", task, speedups.empty() ? "dense" : fmt::format("{:g}x", fmt::join(speedups, "-")),
                     seed);
}

std::vector<SweepJob> sweep_jobs(const SweepGrid& grid, const StartOf& start_of) {
  JobList jobs(start_of);
  for (const std::string& task : grid.tasks) {
    const SweepStart start = start_of(task);
    if (start.task.empty() || start.is_there) continue;
    for (const std::uint64_t seed : grid.seeds) jobs.dense(start.task, seed);
  }
  for (const std::string& task : grid.tasks) {
    for (const std::uint64_t seed : grid.seeds) jobs.dense(task, seed);
  }
  for (const std::string& task : grid.tasks) {
    for (const std::vector<double>& speedups : grid.models) {
      for (const std::uint64_t seed : grid.seeds) jobs.skimmed(task, speedups, seed);
    }
  }
  return jobs.take();
}

}  // namespace tk
