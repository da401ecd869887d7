#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace tk {

/// Jobs of which some have to wait for others: which one may begin, and what is left.
class JobQueue {
 public:
  enum class State : std::uint8_t { kWaiting, kRunning, kDone, kFailed, kLeftOut };

  /// needs[i]: the jobs that job i waits for, all of them before it in the list. Throws where one is not.
  explicit JobQueue(std::vector<std::vector<std::size_t>> needs);

  /// The first job that waits and has all that it needs; it runs from now on.
  std::optional<std::size_t> begin_next();
  /// A job that ran, or need not run, has ended. Those that need one that failed are left out.
  void end(std::size_t job, bool is_good);

  State state(std::size_t job) const { return states_[job]; }
  std::int64_t count(State state) const;
  /// How many wait or run.
  std::int64_t left() const { return count(State::kWaiting) + count(State::kRunning); }
  std::int64_t size() const { return std::ssize(states_); }

 private:
  bool needs_any(std::size_t job, State state) const;
  bool needs_all(std::size_t job, State state) const;

  std::vector<std::vector<std::size_t>> needs_;
  std::vector<State> states_;
};

/// Seconds until the jobs that are left have run on `slots` side by side: each takes the mean of what those of its kind
/// took, or of all where none of its kind has ended; nothing while none has.
class JobClock {
 public:
  void took(const std::string& kind, double seconds) { seconds_.push_back({kind, seconds}); }
  std::optional<double> left(const std::vector<std::string>& kinds, std::int64_t slots) const;

 private:
  struct Took {
    std::string kind;
    double seconds;
  };
  std::optional<double> mean(const std::string& kind) const;

  std::vector<Took> seconds_;
};

}  // namespace tk
