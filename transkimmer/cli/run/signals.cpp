#include "transkimmer/cli/run/signals.h"

#include <sys/time.h>

#include <algorithm>
#include <csignal>

namespace tk {
namespace {

volatile std::sig_atomic_t stop = 0;

void ask_to_stop(int signal) {
  stop = signal;
  std::signal(signal, SIG_DFL);
}

void time_is_up(int signal) {
  if (stop == 0) stop = signal;
}

}  // namespace

void catch_stop_signals() {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    if (std::signal(signal, ask_to_stop) == SIG_IGN) std::signal(signal, SIG_IGN);
  }
}

void stop_at(std::chrono::steady_clock::time_point time) {
  if (stop != 0) return;
  std::signal(SIGALRM, time_is_up);
  using std::chrono::microseconds;
  const auto left = std::chrono::duration_cast<microseconds>(time - std::chrono::steady_clock::now());
  const std::int64_t us = std::max<std::int64_t>(1, left.count());  // 0 would be never
  itimerval timer = {};
  timer.it_value = {.tv_sec = us / 1'000'000, .tv_usec = us % 1'000'000};
  ::setitimer(ITIMER_REAL, &timer, nullptr);
}

void let_writes_fail() {
  std::signal(SIGXFSZ, SIG_IGN);
  std::signal(SIGPIPE, SIG_IGN);
}

int stop_signal() { return stop; }

Interrupted::Interrupted(int signal)
    : std::runtime_error(signal == SIGINT    ? "interrupted"
                         : signal == SIGHUP  ? "the terminal was closed"
                         : signal == SIGALRM ? "the time limit is near"
                                             : "terminated"),
      signal_(signal) {}

void throw_if_stopped() {
  if (stop != 0) throw Interrupted(stop);
}

}  // namespace tk
