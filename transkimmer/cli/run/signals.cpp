#include "transkimmer/cli/run/signals.h"

#include <csignal>

namespace tk {
namespace {

volatile std::sig_atomic_t stop = 0;

void ask_to_stop(int signal) {
  stop = signal;
  std::signal(signal, SIG_DFL);
}

}  // namespace

void catch_stop_signals() {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    if (std::signal(signal, ask_to_stop) == SIG_IGN) std::signal(signal, SIG_IGN);
  }
}

void let_writes_fail() {
  std::signal(SIGXFSZ, SIG_IGN);
  std::signal(SIGPIPE, SIG_IGN);
}

int stop_signal() { return stop; }

Interrupted::Interrupted(int signal)
    : std::runtime_error(signal == SIGINT   ? "interrupted"
                         : signal == SIGHUP ? "the terminal was closed"
                                            : "terminated"),
      signal_(signal) {}

void throw_if_stopped() {
  if (stop != 0) throw Interrupted(stop);
}

}  // namespace tk
