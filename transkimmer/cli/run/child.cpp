#include "transkimmer/cli/run/child.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <string_view>
#include <system_error>
#include <utility>

#include "tensor/communicator.h"
#include "tensor/error.h"

extern char** environ;  // NOLINT: POSIX

namespace tk {
namespace fs = std::filesystem;
namespace {

constexpr int kCannotStart = 127;

std::string reason() { return std::generic_category().message(errno); }

class OpenFile {
 public:
  OpenFile(const fs::path& path, int flags) : fd_(::open(path.c_str(), flags | O_CLOEXEC, 0666)) {
    TK_CHECK(fd_ >= 0, path.string(), ": cannot open: ", reason());
  }
  ~OpenFile() { ::close(fd_); }
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;

  int fd() const { return fd_; }

 private:
  int fd_;
};

// This process's, but for flags and for what makes it a rank, with `variables`.
std::vector<std::string> environment(const std::vector<std::string>& variables) {
  std::vector<std::string> entries = variables;
  const auto is_given = [&](std::string_view name) {
    return std::ranges::any_of(variables, [&](const std::string& variable) { return variable.starts_with(name); });
  };
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text = *entry, name = text.substr(0, text.find('=') + 1);
    if (!name.starts_with("TRANSKIMMER_") && !says_launch(name) && !is_given(name)) entries.emplace_back(text);
  }
  return entries;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> result;
  for (std::string& text : texts) result.push_back(text.data());
  result.push_back(nullptr);
  return result;
}

// In the new process: only calls that are safe between fork and exec.
[[noreturn]] void become_program(char* const* arguments, char* const* variables, const std::array<int, 3>& streams,
                                 pid_t starter) {
  ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (::getppid() != starter) ::_exit(kCannotStart);  // gone before that took effect
  for (int i = 0; i < 3; ++i) {
    if (::dup2(streams[static_cast<std::size_t>(i)], i) < 0) ::_exit(kCannotStart);
  }
  ::execve("/proc/self/exe", arguments, variables);
  ::_exit(kCannotStart);
}

}  // namespace

Child::Child(const std::vector<std::string>& arguments, const fs::path& log, const fs::path& output,
             const std::vector<std::string>& variables) {
  std::vector<std::string> words = {"transkimmer"};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<std::string> entries = environment(variables);
  const std::vector<char*> argv = pointers(words), envp = pointers(entries);
  const OpenFile in("/dev/null", O_RDONLY), err(log, O_WRONLY | O_CREAT | O_APPEND);
  std::optional<OpenFile> out;
  if (!output.empty()) out.emplace(output, O_WRONLY | O_CREAT | O_TRUNC);
  const std::array<int, 3> streams = {in.fd(), out ? out->fd() : err.fd(), err.fd()};
  const pid_t starter = ::getpid();
  pid_ = ::fork();
  TK_CHECK(pid_ >= 0, "cannot start a process: ", reason());
  if (pid_ == 0) become_program(argv.data(), envp.data(), streams, starter);
}

Child::~Child() {
  if (pid_ < 0 || code_) return;
  send(SIGTERM);
  wait();
}

Child::Child(Child&& other) noexcept : pid_(std::exchange(other.pid_, -1)), code_(other.code_) {}

Child& Child::operator=(Child&& other) noexcept {
  std::swap(pid_, other.pid_);
  std::swap(code_, other.code_);
  return *this;
}

void Child::send(int signal) const {
  if (!code_) ::kill(pid_, signal);
}

std::optional<int> Child::ended() { return take(WNOHANG); }

int Child::wait() { return take(0).value_or(-SIGKILL); }

std::optional<int> Child::take(int options) {
  if (code_) return code_;
  int status = 0;
  pid_t taken = 0;
  do {
    taken = ::waitpid(pid_, &status, options);
  } while (taken < 0 && errno == EINTR);
  if (taken == pid_) code_ = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  if (taken < 0) code_ = -SIGKILL;  // nobody knows what became of it
  return code_;
}

std::string ending_text(int code) {
  if (code >= 0) return concat("exit code ", code);
  const char* name = ::strsignal(-code);
  return concat("signal ", -code, " (", name != nullptr ? name : "unknown", ')');
}

}  // namespace tk
