// What has to be settled before the constructors of shared libraries run: OpenBLAS chooses its kernels in its own, and
// takes its buffers.
// Functions in .preinit_array come first. The C library is not initialised then: no getenv, and nothing that allocates.
#include <cstdlib>

#if defined(__ELF__) && defined(__GLIBC__)

#include <signal.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "tensor/host_memory.h"
#include "transkimmer/cli/run/blas_core.h"

namespace {

constexpr int kRunTimeError = 1;

// A line for standard error in memory of its own.
class Line {
 public:
  Line& operator<<(std::string_view text) {
    const std::size_t n = std::min(text.size(), buffer_.size() - size_);
    std::copy_n(text.data(), n, buffer_.data() + size_);
    size_ += n;
    return *this;
  }
  Line& operator<<(std::int64_t number) {
    std::array<char, 24> digits;
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
    return *this << std::string_view(digits.data(), static_cast<std::size_t>(end - digits.data()));
  }
  [[noreturn]] void fail() {
    *this << "\n";
    if (::write(STDERR_FILENO, buffer_.data(), size_) < 0) _exit(kRunTimeError);
    _exit(kRunTimeError);
  }

 private:
  std::array<char, 512> buffer_;
  std::size_t size_ = 0;
};

const char* value(char** environment, std::string_view name) {
  for (; *environment != nullptr; ++environment) {
    const std::string_view text = *environment;
    if (text.size() > name.size() && text[name.size()] == '=' && text.starts_with(name)) {
      return *environment + name.size() + 1;
    }
  }
  return nullptr;
}

// Kernels of another processor end the program at their first instruction that this one lacks.
void check_core(char** environment) {
  const char* const core = value(environment, "OPENBLAS_CORETYPE");
  if (core == nullptr) return;
  const std::string_view lacking = tk::lacking_for_core(core, tk::processor_features());
  if (lacking.empty()) return;
  (Line() << "OPENBLAS_CORETYPE: the kernels of " << core << " need " << lacking << ", which this processor lacks")
      .fail();
}

// OpenBLAS up to 0.3.23 tries for ever to get its buffers. Libraries start in milliseconds; when they have computed for
// half a second, and a buffer is not to be had, this is it.
constexpr std::int64_t kMiB = std::int64_t{1} << 20;
constexpr std::int64_t kBufferBytes = 128 * kMiB;
constexpr timespec kPatience{.tv_sec = 0, .tv_nsec = 500'000'000};
constexpr int kSignal = SIGALRM;

std::int64_t threads_of_blas = 0;
bool is_watched = false;
timer_t timer;
struct sigaction before_action;
struct sigaction before_fault;
sigset_t before_mask;

void look_for_memory(int) {
  if (tk::can_map(kBufferBytes)) return;
  (Line() << "out of memory before the start: OpenBLAS takes " << kBufferBytes / kMiB
          << " MiB of address space for each of " << threads_of_blas
          << " threads when it is loaded, and the process may take " << tk::free_host_memory() / kMiB
          << " MiB more; raise its limits (ulimit -v, -d) or set OMP_NUM_THREADS to less")
      .fail();
}

// Other libraries' constructors fault where they get no memory. Any other fault comes again, and ends the program.
void look_behind_fault(int) {
  if (tk::can_map(kBufferBytes)) return;
  (Line() << "out of memory before the start: libraries ask for more than the " << tk::free_host_memory() / kMiB
          << " MiB of address space that the process may still take; raise its limits (ulimit -v, -d)")
      .fail();
}

void start_watch(char** environment) {
  const char* const asked = value(environment, "OMP_NUM_THREADS");
  const std::int64_t processors = std::max<std::int64_t>(1, ::sysconf(_SC_NPROCESSORS_CONF));
  threads_of_blas = asked == nullptr ? processors : std::clamp<std::int64_t>(std::atoi(asked), 1, processors);

  struct sigaction action = {};
  action.sa_handler = look_for_memory;
  action.sa_flags = SA_RESTART;
  sigset_t mask;
  sigemptyset(&mask);
  sigaddset(&mask, kSignal);
  sigevent event = {};
  event.sigev_notify = SIGEV_SIGNAL;
  event.sigev_signo = kSignal;
  if (::timer_create(CLOCK_PROCESS_CPUTIME_ID, &event, &timer) != 0) return;
  is_watched = true;
  ::sigaction(kSignal, &action, &before_action);
  struct sigaction fault = {};
  fault.sa_handler = look_behind_fault;
  fault.sa_flags = static_cast<int>(SA_RESETHAND);
  ::sigaction(SIGSEGV, &fault, &before_fault);
  ::sigprocmask(SIG_UNBLOCK, &mask, &before_mask);
  const itimerspec often{.it_interval = kPatience, .it_value = kPatience};
  ::timer_settime(timer, 0, &often, nullptr);
}

void end_watch() {
  if (!is_watched) return;
  ::timer_delete(timer);
  ::sigaction(kSignal, &before_action, nullptr);
  ::sigaction(SIGSEGV, &before_fault, nullptr);
  ::sigprocmask(SIG_SETMASK, &before_mask, nullptr);
}

void before_libraries(int /*argc*/, char** /*argv*/, char** environment) {
  check_core(environment);
  start_watch(environment);
}

[[gnu::section(".preinit_array"), gnu::used]] void (*const first)(int, char**, char**) = before_libraries;

// Those of the program come after those of all its libraries; this is the first of them.
[[gnu::constructor(101)]] void after_libraries() { end_watch(); }

}  // namespace

#endif
