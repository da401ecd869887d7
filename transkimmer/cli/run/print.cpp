#include "transkimmer/cli/run/print.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <system_error>

#include "tensor/error.h"

namespace tk {
namespace {

int reason = 0;  // errno of the first result that was lost

bool quiet = false;

void write_to(std::FILE* stream, std::string_view text) { std::fwrite(text.data(), 1, text.size(), stream); }

}  // namespace

// A folder that is read can neither be read from nor be written to, and there is one everywhere.
void open_standard_streams() {
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(stream, F_GETFD) < 0 && errno == EBADF) {
      [[maybe_unused]] const int opened = ::open("/", O_RDONLY | O_DIRECTORY);  // the least free one: this
    }
  }
}

void be_quiet() { quiet = true; }

bool is_quiet() { return quiet; }

void error_text(std::string_view text) {
  write_to(stderr, text);
  std::fflush(stderr);
}

void print_text(std::string_view text) {
  if (quiet) return;
  errno = 0;
  write_to(stdout, text);
  if (reason == 0 && std::ferror(stdout) != 0) reason = errno;
}

void note_text(std::string_view text) {
  if (!quiet) error_text(text);
}

void check_output() {
  const bool flushed = std::fflush(stdout) == 0;
  if (flushed && std::ferror(stdout) == 0) return;
  const int error = reason != 0 ? reason : flushed ? 0 : errno;
  throw Error(
      concat("standard output: ", error != 0 ? std::generic_category().message(error) : "it could not be written"));
}

}  // namespace tk
