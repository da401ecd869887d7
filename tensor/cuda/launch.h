#pragma once

#include <cuda_runtime.h>

#include <algorithm>
#include <cstdint>

#include "tensor/backend.h"
#include "tensor/bfloat16.h"
#include "tensor/error.h"
#include "tensor/queue.h"
#include "tensor/tensor.h"

// What every kernel file of the CUDA backend needs: the stream, checked calls, grids, dtypes.
namespace tk::cuda {

/// The stream of the queue in use, on which all work that is asked for runs, in order.
cudaStream_t stream();
/// That queue.
const Queue& queue();
/// Whether what is asked for goes beside it (tensor/beside.h).
bool is_beside();

/// Throws tk::Error with the call and CUDA's words unless `status` is success.
void check(cudaError_t status, const char* call);

/// How many the device has.
int multiprocessors();
/// Whether counted_linear runs on the device.
bool has_counted_products();

/// What was asked of the device so far.
HostCalls& host_calls();

/// Call right after a launch: counts it, and throws if it could not start.
inline void check_launch(const char* kernel) {
  ++host_calls().launches;
  check(cudaGetLastError(), kernel);
}

inline constexpr int kWarp = 32;
inline constexpr int kThreads = 256;  // of a block, where nothing asks for another number

/// Blocks that cover n elements with `per_block` each; at least 1, so that a grid of none needs no special case.
inline unsigned blocks(std::int64_t n, std::int64_t per_block) {
  return static_cast<unsigned>(std::max<std::int64_t>(1, (n + per_block - 1) / per_block));
}

/// Calls f.template operator()<T>() for T = float, double or BFloat16; throws "<op>: ..." for another dtype.
template <class F>
decltype(auto) dispatch_arithmetic(DType dtype, const char* op, F&& f) {
  if (dtype == DType::kBFloat16) return f.template operator()<BFloat16>();
  return dispatch_floating(dtype, op, std::forward<F>(f));
}

/// Shape and strides of a tensor, for kernels that walk any strides; passed by value.
struct Layout {
  std::int64_t rank;
  std::int64_t shape[Shape::kMaxRank];
  std::int64_t strides[Shape::kMaxRank];  // in elements

  explicit Layout(const Tensor& x) : rank(x.rank()) {
    for (std::int64_t i = 0; i < rank; ++i) {
      shape[i] = x.shape()[i];
      strides[i] = x.strides()[i];
    }
  }

  /// The offset of element i in row-major order.
  __host__ __device__ std::int64_t offset(std::int64_t i) const {
    std::int64_t at = 0;
    for (std::int64_t d = rank - 1; d >= 0; --d) {
      at += i % shape[d] * strides[d];
      i /= shape[d];
    }
    return at;
  }
};

/// Bit of `device_errors` that a kernel sets when it meets what the CPU's kernels throw for; read when the host waits.
enum class DeviceError : unsigned { kIndexOutOfRange = 1, kLabelOutOfRange = 2 };

/// Device-visible flags for report(); pass it to a kernel by value.
unsigned* device_errors();

#ifdef __CUDACC__
__device__ inline void report(unsigned* errors, DeviceError error) { atomicOr(errors, static_cast<unsigned>(error)); }
#endif

}  // namespace tk::cuda
