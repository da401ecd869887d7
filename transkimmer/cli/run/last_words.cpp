#include "transkimmer/cli/run/last_words.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstring>
#include <exception>
#include <new>

namespace tk {
namespace {

constexpr double kMiB = 1 << 20;

using Line = std::array<char, 400>;

// MiB of address space and of memory that the process has; no allocation, for there may be none left.
void add_use(Line& line) {
  const int fd = ::open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return;
  std::array<char, 100> text = {};
  [[maybe_unused]] const ssize_t got = ::read(fd, text.data(), text.size() - 1);
  ::close(fd);
  long long pages = 0;
  long long resident = 0;
  if (std::sscanf(text.data(), "%lld %lld", &pages, &resident) != 2) return;
  const double page = static_cast<double>(::sysconf(_SC_PAGESIZE)) / kMiB;
  const std::size_t used = std::strlen(line.data());
  std::snprintf(line.data() + used, line.size() - used, ": the process holds %.0f MiB, %.0f MiB of them in use",
                page * static_cast<double>(pages), page * static_cast<double>(resident));
}

void add_limit(Line& line, const char* flag, decltype(RLIMIT_AS) resource) {
  rlimit limit = {};
  if (::getrlimit(resource, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return;
  const std::size_t used = std::strlen(line.data());
  std::snprintf(line.data() + used, line.size() - used, "; ulimit %s allows %.0f MiB", flag,
                static_cast<double>(limit.rlim_cur) / kMiB);
}

Line out_of_memory_line(const char* what = "out of memory") {
  Line line = {};
  std::snprintf(line.data(), line.size(), "%s", what);
  add_use(line);
  add_limit(line, "-v", RLIMIT_AS);
  add_limit(line, "-d", RLIMIT_DATA);
  return line;
}

[[noreturn]] void end(const char* text) {
  for (const char* part : {text, "\n"}) {
    [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, part, std::strlen(part));
  }
  ::_exit(1);
}

[[noreturn]] void last_words() {
  try {
    if (std::current_exception()) std::rethrow_exception(std::current_exception());
  } catch (const std::bad_alloc&) {
    end(out_of_memory_line().data());
  } catch (const std::exception& error) {
    end(error.what());
  } catch (...) {
  }
  // Not known here where it met a function that lets none pass, as the standard library's do that only memory can fail.
  end(out_of_memory_line("internal error: an exception of unknown kind, most likely for want of memory").data());
}

}  // namespace

std::string out_of_memory_text() { return out_of_memory_line().data(); }

void say_last_words() { std::set_terminate(last_words); }

}  // namespace tk
