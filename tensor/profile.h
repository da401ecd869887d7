#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "tensor/device.h"

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

/// Whether a profile is taken.
bool is_profiling();

/// Times one kernel call while a profile is taken; otherwise it costs one check.
class KernelTimer {
 public:
  KernelTimer(const char* kernel, Device device)
      : kernel_(is_on.load(std::memory_order_relaxed) ? kernel : nullptr), device_(device) {
    if (kernel_ != nullptr) start_ = nanoseconds(device_);
  }
  ~KernelTimer() {
    if (kernel_ != nullptr) record(kernel_, nanoseconds(device_) - start_);
  }
  KernelTimer(const KernelTimer&) = delete;
  KernelTimer& operator=(const KernelTimer&) = delete;

 private:
  friend void start_profile();
  friend bool is_profiling();
  friend std::vector<KernelProfile> stop_profile();
  static std::int64_t nanoseconds(Device device);  // when all that was asked of the device is done
  static void record(const char* kernel, std::int64_t nanoseconds);

  static std::atomic<bool> is_on;
  const char* kernel_;
  Device device_;
  std::int64_t start_ = 0;
};

}  // namespace tk
