#pragma once

#include <stdexcept>

namespace tk {

/// From now on SIGINT and SIGTERM only ask to stop; a second one ends the program at once.
void catch_stop_signals();

/// From now on a write beyond the limit on file sizes (ulimit -f) is an error like a full disk, not the program's end.
void let_long_writes_fail();

/// The signal that asked to stop, or 0.
int stop_signal();

/// The work stopped because a signal asked for it.
class Interrupted : public std::runtime_error {
 public:
  explicit Interrupted(int signal);
  /// 128 + signal: 130 for SIGINT, 143 for SIGTERM.
  int exit_code() const { return 128 + signal_; }

 private:
  int signal_;
};

/// Throws Interrupted if a signal asked to stop.
void throw_if_stopped();

}  // namespace tk
