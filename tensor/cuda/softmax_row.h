#pragma once

#include <cmath>

#include "tensor/cuda/block_reduce.h"

namespace tk::cuda {

/// max(x) and sum(exp(x - max(x))) of a row of memory, for every thread of the row's block.
template <class C>
struct SoftmaxSums {
  C largest;
  C sum;
};

template <class T>
__device__ SoftmaxSums<compute_t<T>> softmax_sums(const T* x, std::int64_t cols) {
  using C = compute_t<T>;
  C largest = static_cast<C>(x[0]);
  for (std::int64_t i = threadIdx.x; i < cols; i += blockDim.x) largest = Largest{}(static_cast<C>(x[i]), largest);
  largest = block_reduce(largest, Largest{});
  C sum = 0;
  for (std::int64_t i = threadIdx.x; i < cols; i += blockDim.x) sum += std::exp(static_cast<C>(x[i]) - largest);
  return {largest, block_reduce(sum, Sum{})};
}

/// y = exp(x - largest) / sum
template <class T>
__device__ void softmax_row(T* y, const T* x, SoftmaxSums<compute_t<T>> sums, std::int64_t cols) {
  using C = compute_t<T>;
  const C factor = C(1) / sums.sum;
  for (std::int64_t i = threadIdx.x; i < cols; i += blockDim.x) {
    y[i] = static_cast<T>(std::exp(static_cast<C>(x[i]) - sums.largest) * factor);
  }
}

}  // namespace tk::cuda
