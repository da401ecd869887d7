// Preloaded into the program by faults.py. It says by a system call that fails where `main` begins, so that a trace
// shows what belongs to start-up, and from there on it counts allocations and lets some of them fail:
//
//   TK_FAULT_ALLOCATION=N    the Nth allocation since main began fails; "N+": that one and all after it
//   TK_FAULT_SITES=FILE      appends N for each allocation whose stack of callers was not seen before
#include <dlfcn.h>
#include <execinfo.h>
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

// glibc's own names for what is replaced here: looking those up would itself allocate.
extern "C" {
void* __libc_malloc(std::size_t bytes);                           // NOLINT
void* __libc_calloc(std::size_t count, std::size_t bytes);        // NOLINT
void* __libc_realloc(void* block, std::size_t bytes);             // NOLINT
void* __libc_memalign(std::size_t alignment, std::size_t bytes);  // NOLINT
}

namespace {

using Main = int (*)(int, char**, char**);

constexpr int kFrames = 8;  // the innermost ones: what calls from afar share is tried once
constexpr std::size_t kTable = std::size_t{1} << 16;

Main program_main = nullptr;
std::atomic<bool> counting = false;
std::atomic<std::int64_t> count = 0;
std::int64_t failing = 0;  // 0: none
bool from_then_on = false;
int sites = -1;
std::array<std::atomic<std::uint64_t>, kTable> seen = {};
thread_local bool inside = false;  // of note_site, whose own allocations do not count

bool is_new(std::uint64_t stack) {
  for (std::size_t i = 0; i < kTable; ++i) {
    std::uint64_t before = 0;
    if (seen[(stack + i) % kTable].compare_exchange_strong(before, stack)) return true;
    if (before == stack) return false;
  }
  return false;
}

// FNV-1a over the return addresses.
void note_site(std::int64_t number) {
  inside = true;
  void* frames[kFrames];
  const int depth = backtrace(frames, kFrames);
  std::uint64_t stack = 14695981039346656037ULL;
  for (int i = 0; i < depth; ++i) stack = (stack ^ reinterpret_cast<std::uintptr_t>(frames[i])) * 1099511628211ULL;
  if (is_new(stack | 1)) {
    char line[24];
    const int length = std::snprintf(line, sizeof(line), "%lld\n", static_cast<long long>(number));
    if (write(sites, line, static_cast<std::size_t>(length)) != length) std::abort();
  }
  inside = false;
}

bool fails() {
  if (!counting || inside) return false;
  const std::int64_t number = ++count;
  if (sites >= 0) note_site(number);
  return failing != 0 && (number == failing || (from_then_on && number > failing));
}

void* no_memory() {
  errno = ENOMEM;
  return nullptr;
}

int counted_main(int argc, char** argv, char** environment) {
  if (const char* text = std::getenv("TK_FAULT_ALLOCATION")) {
    char* end = nullptr;
    failing = std::strtoll(text, &end, 10);
    from_then_on = *end == '+';
  }
  if (const char* file = std::getenv("TK_FAULT_SITES")) {
    sites = open(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    void* frame = nullptr;
    backtrace(&frame, 1);  // its first call loads a library
  }
  constexpr char kMark[] = "main begins";
  [[maybe_unused]] const ssize_t refused = write(-1, kMark, sizeof(kMark) - 1);
  errno = 0;
  counting = true;
  return program_main(argc, argv, environment);
}

}  // namespace

extern "C" {

// NOLINTNEXTLINE: the C library's name
int __libc_start_main(Main main, int argc, char** argv, void (*init)(), void (*fini)(), void (*loader_fini)(),
                      void* stack_end) {
  using Start = int (*)(Main, int, char**, void (*)(), void (*)(), void (*)(), void*);
  program_main = main;
  const auto start = reinterpret_cast<Start>(dlsym(RTLD_NEXT, "__libc_start_main"));
  return start(counted_main, argc, argv, init, fini, loader_fini, stack_end);
}

void* malloc(std::size_t bytes) { return fails() ? no_memory() : __libc_malloc(bytes); }

void* calloc(std::size_t number, std::size_t bytes) { return fails() ? no_memory() : __libc_calloc(number, bytes); }

void* realloc(void* block, std::size_t bytes) { return fails() ? no_memory() : __libc_realloc(block, bytes); }

void* memalign(std::size_t alignment, std::size_t bytes) {
  return fails() ? no_memory() : __libc_memalign(alignment, bytes);
}

void* aligned_alloc(std::size_t alignment, std::size_t bytes) { return memalign(alignment, bytes); }

int posix_memalign(void** block, std::size_t alignment, std::size_t bytes) {
  if (fails()) return ENOMEM;
  *block = __libc_memalign(alignment, bytes);
  return *block == nullptr ? ENOMEM : 0;
}
}
