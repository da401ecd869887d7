#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <iosfwd>
#include <iterator>

// Marks arithmetic that host and device compilers both build. It is inlined wherever it is called, so that loops over
// it vectorise.
#if defined(__CUDACC__)
#define TK_HOST_DEVICE __host__ __device__ inline
#else
#define TK_HOST_DEVICE inline __attribute__((always_inline))
#endif

namespace tk {

/// A product of two 32-bit numbers.
struct WideProduct {
  std::uint32_t low, high;
};

/// One instruction on a CUDA device, whose compiler makes two of the product in 64 bits.
TK_HOST_DEVICE WideProduct wide_product(std::uint32_t a, std::uint32_t b) {
#if defined(__CUDA_ARCH__)
  WideProduct y;
  asm("{ .reg .u64 t; mul.wide.u32 t, %2, %3; mov.b64 {%0, %1}, t; }" : "=r"(y.low), "=r"(y.high) : "r"(a), "r"(b));
  return y;
#else
  const std::uint64_t y = std::uint64_t{a} * b;
  return {static_cast<std::uint32_t>(y), static_cast<std::uint32_t>(y >> 32)};
#endif
}

#if defined(__CUDA_ARCH__)
inline constexpr bool kOnDevice = true;
#else
inline constexpr bool kOnDevice = false;
#endif

/// What a CUDA device has instructions for, so that arithmetic in float takes these there (kOnDevice) and polynomials
/// on the host: e^x to two units in the last place, log2(x) to 2^-22 of max(1, |log2 x|), 1 / x to two units, 0 for x
/// above 2^126.
TK_HOST_DEVICE float device_exp(float x) { return std::exp(x); }
TK_HOST_DEVICE float device_log2(float x) {
#if defined(__CUDA_ARCH__)
  return __log2f(x);
#else
  return std::log2(x);
#endif
}
TK_HOST_DEVICE float device_reciprocal(float x) {
#if defined(__CUDA_ARCH__)
  return __fdividef(1.0f, x);
#else
  return 1.0f / x;
#endif
}

/// Where a tensor's memory lies and its ops run.
enum class Device : std::uint8_t { kCpu, kCuda };
inline constexpr Device kAllDevices[] = {Device::kCpu, Device::kCuda};
inline constexpr std::size_t kDevices = std::size(kAllDevices);

/// One of something for each device, in their order: what differs between backends is looked up, not asked for.
template <class T>
class PerDevice {
 public:
  template <class... Each>
  requires(sizeof...(Each) == kDevices) constexpr PerDevice(Each... each) : each_{each...} {}
  constexpr const T& operator[](Device device) const { return each_[static_cast<std::size_t>(device)]; }

 private:
  T each_[kDevices];
};

const char* name(Device device);
std::ostream& operator<<(std::ostream& out, Device device);

}  // namespace tk
