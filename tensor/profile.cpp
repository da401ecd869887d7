#include "tensor/profile.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <mutex>
#include <string_view>

#include "tensor/backend.h"

namespace tk {
namespace {

std::mutex mutex;
std::map<std::string_view, KernelProfile> profiles;  // names are those of the kernel table

}  // namespace

std::atomic<bool> KernelTimer::is_on = false;

std::int64_t KernelTimer::nanoseconds(Device device) {
  synchronize(device);
  return std::chrono::nanoseconds(std::chrono::steady_clock::now().time_since_epoch()).count();
}

void KernelTimer::record(const char* kernel, std::int64_t nanoseconds) {
  const std::lock_guard lock(mutex);
  KernelProfile& profile = profiles[kernel];
  ++profile.calls;
  profile.seconds += 1e-9 * static_cast<double>(nanoseconds);
}

void start_profile() {
  const std::lock_guard lock(mutex);
  profiles.clear();
  KernelTimer::is_on = true;
}

bool is_profiling() { return KernelTimer::is_on; }

std::vector<KernelProfile> stop_profile() {
  KernelTimer::is_on = false;
  const std::lock_guard lock(mutex);
  std::vector<KernelProfile> result;
  for (auto& [name, profile] : profiles) {
    profile.name = name;
    result.push_back(profile);
  }
  std::ranges::sort(result, [](const KernelProfile& a, const KernelProfile& b) { return a.seconds > b.seconds; });
  return result;
}

}  // namespace tk
