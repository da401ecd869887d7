#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

namespace tk {

/// Calls of one kernel while a profile was taken.
struct KernelProfile {
  std::string name;
  std::int64_t calls = 0;
  double seconds = 0;
};

/// From now on every kernel call is timed; what an earlier profile counted is forgotten.
void start_profile();
/// Stops timing. The kernels that ran, most time first.
std::vector<KernelProfile> stop_profile();

/// Times one kernel call while a profile is taken; otherwise it costs one check.
class KernelTimer {
 public:
  explicit KernelTimer(const char* kernel) : kernel_(is_on.load(std::memory_order_relaxed) ? kernel : nullptr) {
    if (kernel_ != nullptr) start_ = nanoseconds();
  }
  ~KernelTimer() {
    if (kernel_ != nullptr) record(kernel_, nanoseconds() - start_);
  }
  KernelTimer(const KernelTimer&) = delete;
  KernelTimer& operator=(const KernelTimer&) = delete;

 private:
  friend void start_profile();
  friend std::vector<KernelProfile> stop_profile();
  static std::int64_t nanoseconds();
  static void record(const char* kernel, std::int64_t nanoseconds);

  static std::atomic<bool> is_on;
  const char* kernel_;
  std::int64_t start_ = 0;
};

}  // namespace tk
