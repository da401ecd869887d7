#pragma once

#include "tensor/cuda/pack.h"
#include "tensor/kernel_arguments.h"

namespace tk::cuda {

/// Where a kernel writes a gradient of T, or adds to it: a SumTarget on the device.
template <class T>
struct GradientTarget {
  T* out;  ///< null: not wanted
  bool add;

  explicit GradientTarget(const SumTarget& sum) : out(data_or_null<T>(sum.out)), add(sum.add) {}

  __device__ void put(std::int64_t i, T value) const {
    if (out != nullptr) out[i] = add ? out[i] + value : value;
  }
  /// N adjacent elements, of which `count` exist.
  template <int N>
  __device__ void put(std::int64_t i, const compute_t<T> (&values)[N], std::int64_t count, bool wide) const {
    if (out == nullptr) return;
    const Pack<T, N> before = add ? load<N>(out + i, count, wide) : Pack<T, N>{};
    compute_t<T> sum[N];
#pragma unroll
    for (int k = 0; k < N; ++k) sum[k] = before[k] + values[k];
    store(out + i, sum, count, wide);
  }
};

}  // namespace tk::cuda
