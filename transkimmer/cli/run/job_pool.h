#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "tensor/communicator.h"
#include "transkimmer/cli/run/child.h"

namespace tk {

/// What is run as a process: files and arguments as Child takes them.
struct JobStart {
  std::size_t job = 0;  ///< what it is called in JobEnd
  std::vector<std::string> arguments;
  std::filesystem::path log;
  std::filesystem::path output = {};
};

/// A job that has ended, with what Child::ended said.
struct JobEnd {
  std::size_t job;
  int code;
};

/// Jobs that run as processes of this one.
class RunningJobs {
 public:
  /// `variables`: beside those of this process, and in place of those of the same names.
  void begin(const JobStart& start, const std::vector<std::string>& variables = {});
  /// Those that have ended since they were asked for.
  std::vector<JobEnd> ended();
  std::int64_t count() const { return std::ssize(running_); }
  void send(int signal) const;
  /// For the ends of all.
  void wait();

 private:
  struct Running {
    std::size_t job;
    Child child;
  };
  std::vector<Running> running_;
};

/// Where jobs run: places with as many of them side by side each. Of several ranks every one is a place, whose jobs are
/// its processes, at the word of the first; of a process alone there may be a place for each of several GPUs.
class JobPool {
 public:
  /// Of a process alone with `gpus`, a value of CUDA_VISIBLE_DEVICES is a place each. Of several ranks for the first,
  /// while all others serve_jobs().
  JobPool(Communicator& ranks, std::int64_t jobs_of_place, std::vector<std::string> gpus = {});

  /// How many run side by side at most.
  std::int64_t room() const { return jobs_of_place_ * std::ssize(counts_); }
  /// How many run.
  std::int64_t count() const;

  /// Runs a job in the place that has the most room; there must be some. Returns where that is: "", " on rank 1" or
  /// " on GPU 1".
  std::string begin(JobStart start);
  /// Those that have ended since they were asked for, after a nap. Throws where another rank does not answer in time.
  std::vector<JobEnd> ended();
  /// The signal that asked a rank to stop, as far as it is known, or 0.
  int stop_signal() const;
  /// Sends a signal to all that run, and waits for their ends.
  void stop(int signal);
  /// Lets the other ranks go on. There are no more jobs after it.
  void finish();

 private:
  struct Order {
    std::size_t place;
    JobStart start;
  };
  std::vector<JobEnd> meet(int signal, bool is_last);

  Communicator& ranks_;
  std::int64_t jobs_of_place_;
  std::vector<std::string> gpus_;
  std::vector<std::int64_t> counts_;       // that run in each place
  std::vector<std::size_t> place_of_job_;  // by job
  std::vector<Order> orders_;              // to other ranks, not sent yet
  RunningJobs here_;
  int signal_ = 0;  // that another rank told of
};

/// Of several ranks all but the first: runs what the first one's JobPool says, until that is finished.
void serve_jobs(Communicator& ranks);

}  // namespace tk
