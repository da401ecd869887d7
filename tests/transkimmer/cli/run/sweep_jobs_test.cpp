#include "transkimmer/cli/run/sweep_jobs.h"

#include "tests/support/catch.h"

namespace tk {
namespace {

SweepStart start_of(const std::string& task) {
  return task == "rte" || task == "mrpc" ? SweepStart{.task = "mnli"} : SweepStart{};
}

SweepStart with_gates(const std::string& task) {
  SweepStart start = start_of(task);
  start.gates = task == "rte";
  return start;
}

std::vector<std::string> names(const std::vector<SweepJob>& jobs) {
  std::vector<std::string> result;
  for (const SweepJob& job : jobs) result.push_back(job.name());
  return result;
}

std::vector<std::string> needs(const std::vector<SweepJob>& jobs, const std::string& name) {
  std::vector<std::string> result;
  for (const SweepJob& job : jobs) {
    if (job.name() != name) continue;
    for (const std::size_t needed : job.needs) result.push_back(jobs[needed].name());
  }
  return result;
}

TEST_CASE("sweep jobs: dense models first, and a model that several start from once a seed") {
  const auto jobs = sweep_jobs({.tasks = {"cola", "rte", "mrpc"}, .models = {{2, 2.5}}, .seeds = {1}}, start_of);
  CHECK(names(jobs) == std::vector<std::string>{"mnli-dense-1", "cola-dense-1", "rte-dense-1", "mrpc-dense-1",
                                                "cola-2-2.5x-1", "rte-2-2.5x-1", "mrpc-2-2.5x-1"});
  CHECK(needs(jobs, "cola-dense-1").empty());
  CHECK(needs(jobs, "rte-dense-1") == std::vector<std::string>{"mnli-dense-1"});
  CHECK(needs(jobs, "mrpc-dense-1") == std::vector<std::string>{"mnli-dense-1"});
  CHECK(needs(jobs, "mrpc-2-2.5x-1") == std::vector<std::string>{"mrpc-dense-1"});
}

TEST_CASE("sweep jobs: a task that another starts from is not trained twice, and seeds have models of their own") {
  const auto jobs = sweep_jobs({.tasks = {"rte", "mnli"}, .models = {{4}}, .seeds = {7, 42}}, start_of);
  CHECK(names(jobs) == std::vector<std::string>{"mnli-dense-7", "mnli-dense-42", "rte-dense-7", "rte-dense-42",
                                                "rte-4x-7", "rte-4x-42", "mnli-4x-7", "mnli-4x-42"});
  CHECK(needs(jobs, "rte-dense-42") == std::vector<std::string>{"mnli-dense-42"});
  CHECK(needs(jobs, "mnli-4x-7") == std::vector<std::string>{"mnli-dense-7"});
}

TEST_CASE("sweep jobs: gates come from the other task's model of the same speed-ups and seed, which is made once") {
  const auto jobs = sweep_jobs({.tasks = {"rte", "mrpc", "mnli"}, .models = {{2, 4}}, .seeds = {1}}, with_gates);
  CHECK(names(jobs) == std::vector<std::string>{"mnli-dense-1", "rte-dense-1", "mrpc-dense-1", "mnli-2-4x-1",
                                                "rte-2-4x-1", "mrpc-2-4x-1"});
  CHECK(needs(jobs, "rte-2-4x-1") == std::vector<std::string>{"rte-dense-1", "mnli-2-4x-1"});
  CHECK(needs(jobs, "mrpc-2-4x-1") == std::vector<std::string>{"mrpc-dense-1"});
}

TEST_CASE("sweep jobs: a gate that does not serve several speed-ups has a model for each") {
  const auto jobs = sweep_jobs({.tasks = {"rte"}, .models = {{2}, {4}}, .seeds = {1}}, with_gates);
  CHECK(names(jobs) ==
        std::vector<std::string>{"mnli-dense-1", "rte-dense-1", "mnli-2x-1", "rte-2x-1", "mnli-4x-1", "rte-4x-1"});
  CHECK(needs(jobs, "rte-4x-1") == std::vector<std::string>{"rte-dense-1", "mnli-4x-1"});
}

TEST_CASE("sweep jobs: a checkpoint that is the other task's dense model is not trained for it, only skimmed") {
  const auto there = [](const std::string& task) {
    SweepStart start = with_gates(task);
    start.is_there = !start.task.empty();
    return start;
  };
  const auto jobs = sweep_jobs({.tasks = {"rte"}, .models = {{4}}, .seeds = {1}}, there);
  CHECK(names(jobs) == std::vector<std::string>{"rte-dense-1", "mnli-4x-1", "rte-4x-1"});
  CHECK(needs(jobs, "rte-dense-1").empty());
  CHECK(needs(jobs, "mnli-4x-1").empty());
  CHECK(needs(jobs, "rte-4x-1") == std::vector<std::string>{"rte-dense-1", "mnli-4x-1"});
}

}  // namespace
}  // namespace tk
