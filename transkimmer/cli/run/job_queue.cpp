#include "transkimmer/cli/run/job_queue.h"

#include <algorithm>
#include <utility>

#include "tensor/error.h"

namespace tk {

JobQueue::JobQueue(std::vector<std::vector<std::size_t>> needs)
    : needs_(std::move(needs)), states_(needs_.size(), State::kWaiting) {
  for (std::size_t job = 0; job < needs_.size(); ++job) {
    for (const std::size_t needed : needs_[job]) {
      TK_CHECK(needed < job, "job queue: job ", job, " needs job ", needed, ", which is not before it");
    }
  }
}

bool JobQueue::needs_any(std::size_t job, State state) const {
  return std::ranges::any_of(needs_[job], [&](std::size_t needed) { return states_[needed] == state; });
}

bool JobQueue::needs_all(std::size_t job, State state) const {
  return std::ranges::all_of(needs_[job], [&](std::size_t needed) { return states_[needed] == state; });
}

std::optional<std::size_t> JobQueue::begin_next() {
  for (std::size_t job = 0; job < states_.size(); ++job) {
    if (states_[job] != State::kWaiting || !needs_all(job, State::kDone)) continue;
    states_[job] = State::kRunning;
    return job;
  }
  return std::nullopt;
}

void JobQueue::end(std::size_t job, bool is_good) {
  states_[job] = is_good ? State::kDone : State::kFailed;
  for (std::size_t later = job + 1; later < states_.size(); ++later) {
    const bool is_lost = needs_any(later, State::kFailed) || needs_any(later, State::kLeftOut);
    if (is_lost && states_[later] == State::kWaiting) states_[later] = State::kLeftOut;
  }
}

std::int64_t JobQueue::count(State state) const { return std::ranges::count(states_, state); }

std::optional<double> JobClock::mean(const std::string& kind) const {
  double sum = 0, count = 0;
  for (const Took& took : seconds_) {
    if (took.kind != kind && !kind.empty()) continue;
    sum += took.seconds;
    ++count;
  }
  return count > 0 ? std::optional(sum / count) : std::nullopt;
}

std::optional<double> JobClock::left(const std::vector<std::string>& kinds, std::int64_t slots) const {
  const std::optional<double> any = mean("");
  if (!any) return std::nullopt;
  double sum = 0;
  for (const std::string& kind : kinds) sum += mean(kind).value_or(*any);
  return sum / static_cast<double>(std::clamp<std::int64_t>(slots, 1, std::max<std::int64_t>(1, std::ssize(kinds))));
}

}  // namespace tk
