#include "transkimmer/cli/run/job_runner.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <utility>

#include "tensor/error.h"
#include "tensor/io/input_file.h"
#include "transkimmer/cli/run/child.h"
#include "transkimmer/cli/run/job_queue.h"
#include "transkimmer/cli/run/signals.h"

namespace tk {
namespace fs = std::filesystem;
namespace {

using Clock = std::chrono::steady_clock;
using State = JobQueue::State;

std::vector<std::vector<std::size_t>> needs_of(const std::vector<Job>& jobs) {
  std::vector<std::vector<std::size_t>> needs;
  for (const Job& job : jobs) needs.push_back(job.needs);
  return needs;
}

// The last line that a process said; empty where it said none.
std::string last_line(const fs::path& log) {
  try {
    std::string text = read_file(log);
    text.erase(text.find_last_not_of(" \r\n") + 1);
    return text.substr(text.find_last_of('\n') + 1);
  } catch (const Error&) {
    return "";
  }
}

// Where standard output goes until it is known to be whole.
fs::path unchecked(const Job& job) { return job.output.empty() ? "" : job.output.string() + ".log"; }

class Runner {
 public:
  Runner(const std::vector<Job>& jobs, JobPool& pool, std::int64_t most, ProgressMode progress,
         std::optional<Clock::time_point> deadline)
      : jobs_(jobs),
        pool_(pool),
        slots_(std::min(most, pool.room())),
        starts_(jobs.size()),
        deadline_(deadline),
        queue_(needs_of(jobs)),
        bar_("jobs", queue_.size(), progress) {}

  JobsEnded operator()() {
    for (std::size_t i = 0; i < jobs_.size(); ++i) {
      if (jobs_[i].is_done) queue_.end(i, true);
    }
    while (queue_.left() > 0) {
      stop_if_asked();
      if (!is_out_of_time_) begin_jobs();
      for (const JobEnd& end : pool_.ended()) end_job(end);
      if (is_out_of_time_ && pool_.count() == 0) throw Interrupted(SIGALRM);
    }
    JobsEnded ended{.is_good = {}, .failures = std::move(failures_), .left_out = queue_.count(State::kLeftOut)};
    for (std::size_t i = 0; i < jobs_.size(); ++i) ended.is_good.push_back(queue_.state(i) == State::kDone);
    return ended;
  }

 private:
  std::vector<std::string> arguments_of(const Job& job) const {
    std::vector<std::string> arguments = job.arguments;
    if (job.stops_in_time && deadline_) {
      constexpr double kLeast = 0.001;
      const double left = std::chrono::duration<double>(*deadline_ - Clock::now()).count();
      arguments.push_back(fmt::format("--time_limit={:.3f}", std::max(kLeast, left)));
    }
    return arguments;
  }

  void begin_jobs() {
    while (pool_.count() < slots_) {
      const std::optional<std::size_t> next = queue_.begin_next();
      if (!next) return;
      const Job& job = jobs_[*next];
      starts_[*next] = Clock::now();
      const std::string where =
          pool_.begin({.job = *next, .arguments = arguments_of(job), .log = job.log, .output = unchecked(job)});
      say(concat(job.name, ": began", where));
    }
  }

  void end_job(const JobEnd& end) {
    const Job& job = jobs_[end.job];
    const int code = end.code;
    const double seconds = std::chrono::duration<double>(Clock::now() - starts_[end.job]).count();
    if (job.stops_in_time && deadline_ && code == Interrupted(SIGALRM).exit_code()) {
      is_out_of_time_ = true;
      say(fmt::format("{}: stopped by --time_limit after {}", job.name, clock_text(seconds)));
      return;
    }
    queue_.end(end.job, code == 0);
    if (code == 0) {
      clock_.took(job.kind, seconds);
      if (!job.output.empty()) fs::rename(unchecked(job), job.output);
    } else {
      const std::string line = last_line(job.log);
      failures_.push_back({job.name, concat(ending_text(code), ": ", line.empty() ? "it said nothing" : line, " (",
                                            job.log.string(), ')')});
    }
    say(fmt::format("{}: {} {}; {} of {} left{}", job.name, code == 0 ? "finished in" : "FAILED after",
                    clock_text(seconds), queue_.left(), queue_.size(), time_left()));
  }

  std::string time_left() const {
    std::vector<std::string> kinds;
    for (std::size_t i = 0; i < jobs_.size(); ++i) {
      const State state = queue_.state(i);
      if (state == State::kWaiting || state == State::kRunning) kinds.push_back(jobs_[i].kind);
    }
    const std::optional<double> seconds = clock_.left(kinds, slots_);
    return seconds && !kinds.empty() ? ", about " + clock_text(*seconds) : "";
  }

  void say(const std::string& text) {
    bar_.line(text);
    bar_.update(queue_.size() - queue_.left());
  }

  // The processes are in groups of their own: a terminal's signal reaches them this way alone. Of the end of this one's
  // time they know nothing.
  void stop_if_asked() {
    const int signal = pool_.stop_signal();
    if (signal == 0) return;
    say(fmt::format("stopping {} of them", pool_.count()));
    pool_.stop(signal == SIGALRM ? SIGTERM : signal);
    throw Interrupted(signal);
  }

  const std::vector<Job>& jobs_;
  JobPool& pool_;
  std::int64_t slots_;
  std::vector<Clock::time_point> starts_;  // of each job that has begun
  std::optional<Clock::time_point> deadline_;
  JobQueue queue_;
  Progress bar_;
  JobClock clock_;
  std::vector<JobFailure> failures_;
  bool is_out_of_time_ = false;
};

}  // namespace

JobsEnded run_jobs(const std::vector<Job>& jobs, JobPool& pool, std::int64_t most, ProgressMode progress,
                   std::optional<Clock::time_point> deadline) {
  return Runner(jobs, pool, most, progress, deadline)();
}

}  // namespace tk
