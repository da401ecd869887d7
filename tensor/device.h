#pragma once

#include <cstdint>
#include <iosfwd>

// Marks a function that host and device compilers both build.
#if defined(__CUDACC__)
#define TK_HOST_DEVICE __host__ __device__
#else
#define TK_HOST_DEVICE
#endif

namespace tk {

/// Where a tensor's memory lies and its ops run.
enum class Device : std::uint8_t { kCpu, kCuda };

const char* name(Device device);
std::ostream& operator<<(std::ostream& out, Device device);

}  // namespace tk
