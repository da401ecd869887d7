#pragma once

#include <chrono>
#include <stdexcept>

namespace tk {

/// From now on SIGINT, SIGTERM and SIGHUP (the terminal is gone) only ask to stop; a second one ends the program at
/// once. One that the program was started to ignore, as nohup does, stays ignored.
void catch_stop_signals();

/// From now on a write that cannot be done is an error like any other, not the program's end: one beyond the limit on
/// file sizes (ulimit -f), and one to a reader that has gone.
void let_writes_fail();

/// At that time the program is asked to stop, as if by a signal: SIGALRM. Another call changes the time, until it has
/// come. Needs catch_stop_signals().
void stop_at(std::chrono::steady_clock::time_point time);

/// The signal that asked to stop, or 0.
int stop_signal();

/// The work stopped because a signal asked for it.
class Interrupted : public std::runtime_error {
 public:
  explicit Interrupted(int signal);
  /// 128 + signal: 130 for SIGINT, 143 for SIGTERM, 129 for SIGHUP, 142 for the end of stop_at().
  int exit_code() const { return 128 + signal_; }
  int signal() const { return signal_; }

 private:
  int signal_;
};

/// Throws Interrupted if a signal asked to stop.
void throw_if_stopped();

}  // namespace tk
