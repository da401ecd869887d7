#include <algorithm>
#include <cstring>
#include <optional>

#include "tensor/convert.h"
#include "tensor/cuda/launch.h"
#include "tensor/kernels.h"

namespace tk::cuda {
namespace {

template <class To, class From>
__global__ void copy_strided(To* y, const From* x, std::int64_t n, Layout y_layout, Layout x_layout) {
  const std::int64_t i = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (i < n) y[y_layout.offset(i)] = convert<To>(x[x_layout.offset(i)]);
}

template <class To, class From>
__global__ void copy_adjacent(To* y, const From* x, std::int64_t n) {
  const std::int64_t i = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (i < n) y[i] = convert<To>(x[i]);
}

template <class T>
__global__ void fill_strided(T* y, double value, std::int64_t n, Layout layout) {
  const std::int64_t i = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (i < n) y[layout.offset(i)] = convert<T>(value);
}

template <class T>
__global__ void fill_adjacent(T* y, T value, std::int64_t n) {
  const std::int64_t i = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (i < n) y[i] = value;
}

// Whether all bytes of a value are one: then much memory is set as fast as it can be. Little is by a kernel, which a
// recorded step comes to sooner.
constexpr std::int64_t kMuchMemory = std::int64_t{4} << 20;

template <class T>
std::optional<int> repeated_byte(const T& value) {
  unsigned char bytes[sizeof(T)];
  std::memcpy(bytes, &value, sizeof(T));
  return std::ranges::all_of(bytes, [&](unsigned char byte) { return byte == bytes[0]; }) ? std::optional<int>(bytes[0])
                                                                                          : std::nullopt;
}

template <class T>
__global__ void count_up(T* y, std::int64_t n) {
  const std::int64_t i = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (i < n) y[i] = convert<T>(i);
}

}  // namespace

void copy(Tensor& y, const Tensor& x) {
  const std::int64_t n = y.numel();
  if (n == 0) return;
  const bool adjacent = y.is_contiguous() && x.is_contiguous();
  if (adjacent && y.dtype() == x.dtype()) {
    ++host_calls().launches;
    check(cudaMemcpyAsync(y.raw_data(), x.raw_data(), static_cast<std::size_t>(y.bytes()), cudaMemcpyDeviceToDevice,
                          stream()),
          "cudaMemcpyAsync");
    return;
  }
  dispatch_all(y.dtype(), [&]<class To>() {
    dispatch_all(x.dtype(), [&]<class From>() {
      if (adjacent) {
        copy_adjacent<<<blocks(n, kThreads), kThreads, 0, stream()>>>(y.data<To>(), x.data<From>(), n);
      } else {
        copy_strided<<<blocks(n, kThreads), kThreads, 0, stream()>>>(y.data<To>(), x.data<From>(), n, Layout(y),
                                                                     Layout(x));
      }
      check_launch("copy");
    });
  });
}

void fill(Tensor& y, double value) {
  const std::int64_t n = y.numel();
  if (n == 0) return;
  dispatch_all(y.dtype(), [&]<class T>() {
    const T bits = convert<T>(value);
    if (const auto byte = repeated_byte(bits); y.is_contiguous() && byte && y.bytes() >= kMuchMemory) {
      ++host_calls().launches;
      return check(cudaMemsetAsync(y.raw_data(), *byte, static_cast<std::size_t>(y.bytes()), stream()),
                   "cudaMemsetAsync");
    }
    if (y.is_contiguous()) {
      fill_adjacent<<<blocks(n, kThreads), kThreads, 0, stream()>>>(y.data<T>(), bits, n);
      return check_launch("fill");
    }
    fill_strided<<<blocks(n, kThreads), kThreads, 0, stream()>>>(y.data<T>(), value, n, Layout(y));
    check_launch("fill");
  });
}

void arange(Tensor& y) {
  const std::int64_t n = y.numel();
  dispatch_all(y.dtype(), [&]<class T>() {
    count_up<<<blocks(n, kThreads), kThreads, 0, stream()>>>(y.data<T>(), n);
    check_launch("arange");
  });
}

}  // namespace tk::cuda
