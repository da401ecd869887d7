#pragma once

#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace tk {

/// This program, run once more as a process of its own, with nothing on its standard input and without the environment
/// variables that set flags or say that this process is one of several ranks. It is in a process group of its own, so
/// that a terminal's signals reach only its starter, and gets SIGTERM when that one is gone.
class Child {
 public:
  /// Standard error goes to the end of `log`, and standard output too where `output` is empty, else to that file, which
  /// is made anew. `variables` ("NAME=value") come in place of those of the same names. Throws where a file cannot be
  /// opened or the process not be made.
  Child(const std::vector<std::string>& arguments, const std::filesystem::path& log,
        const std::filesystem::path& output = {}, const std::vector<std::string>& variables = {});
  /// Ends it with SIGTERM, and waits, unless it has ended.
  ~Child();
  Child(Child&& other) noexcept;
  Child& operator=(Child&& other) noexcept;

  void send(int signal) const;
  /// Its exit code, or minus the signal that ended it; nothing while it runs.
  std::optional<int> ended();
  /// The same once it has ended.
  int wait();

 private:
  std::optional<int> take(int options);

  pid_t pid_ = -1;  // -1: moved from
  std::optional<int> code_;
};

/// "exit code 1", or "signal 9 (Killed)", of what Child::ended says.
std::string ending_text(int code);

}  // namespace tk
