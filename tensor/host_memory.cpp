#include "tensor/host_memory.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <limits>

namespace tk {
namespace {

constexpr std::int64_t kUnlimited = std::numeric_limits<std::int64_t>::max();

struct Sizes {
  std::int64_t all = 0;   // what RLIMIT_AS counts
  std::int64_t data = 0;  // what RLIMIT_DATA counts
};

// Zeros where the system has no /proc. Its line counts pages: all, resident, shared, text, library, data, dirty.
Sizes sizes_of_process() {
  std::array<char, 256> line = {};
  const int file = ::open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
  if (file < 0) return {};
  const ssize_t length = ::read(file, line.data(), line.size() - 1);
  ::close(file);
  if (length <= 0) return {};
  std::array<std::int64_t, 6> pages = {};
  char* at = line.data();
  for (std::int64_t& count : pages) count = std::strtoll(at, &at, 10);
  const std::int64_t page = ::sysconf(_SC_PAGESIZE);
  return {pages[0] * page, pages[5] * page};
}

template <class Resource>
std::int64_t left_of(Resource resource, std::int64_t used) {
  rlimit limit = {};
  if (::getrlimit(resource, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return kUnlimited;
  return std::max<std::int64_t>(0, static_cast<std::int64_t>(std::min<rlim_t>(limit.rlim_cur, kUnlimited)) - used);
}

}  // namespace

std::int64_t bytes_within_limits() {
  const Sizes used = sizes_of_process();
  return std::min(left_of(RLIMIT_AS, used.all), left_of(RLIMIT_DATA, used.data));
}

std::int64_t free_host_memory() {
  return std::min(bytes_within_limits(), std::int64_t{::sysconf(_SC_AVPHYS_PAGES)} * ::sysconf(_SC_PAGESIZE));
}

void reset_peak_host_memory() {
  const int file = ::open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);
  if (file < 0) return;
  static_cast<void>(::write(file, "5", 1) == 1);
  ::close(file);
}

bool can_map(std::int64_t bytes) {
  const auto size = static_cast<std::size_t>(bytes);
  void* const data = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (data == MAP_FAILED) return false;
  ::munmap(data, size);
  return true;
}

}  // namespace tk
