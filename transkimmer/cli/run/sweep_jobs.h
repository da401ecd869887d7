#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace tk {

/// A model of a sweep: a dense one, or one that is skimmed from it.
struct SweepJob {
  std::string task;
  std::uint64_t seed = 0;
  std::vector<double> speedups = {};  ///< that it is skimmed for, one model for all; none: dense
  /// Places in the list of the models that it starts from: a dense one if not the checkpoint itself; then, of a skimmed
  /// one, the skimmed one whose gates it takes over, if any.
  std::vector<std::size_t> needs = {};
  std::string name() const;  ///< "rte-dense-42", "rte-2.5x-42", "rte-2-4x-42"
};

/// What is swept.
struct SweepGrid {
  std::vector<std::string> tasks;
  std::vector<std::vector<double>> models;  ///< the speed-ups of each skimmed model of a task and seed
  std::vector<std::uint64_t> seeds;
};

/// What a task's models start from, where it is another task.
struct SweepStart {
  std::string task = {};  ///< empty: none
  bool is_there = false;  ///< the checkpoint is its dense model
  bool gates = false;     ///< the skimmed ones start from its skimmed ones, too
};

/// Every model, each behind those that it starts from: the dense models that others start from, the other dense ones,
/// the skimmed ones. A model that several start from is there once.
std::vector<SweepJob> sweep_jobs(const SweepGrid& grid,
                                 const std::function<SweepStart(const std::string& task)>& start_of);

}  // namespace tk
