#pragma once

#include "tensor/binary_ops.h"
#include "tensor/cuda/launch.h"

namespace tk::cuda {

/// An element and its place; of equal ones the first is the larger, and NaN is above all.
template <class C>
struct Candidate {
  C value;
  std::int64_t index;

  __device__ bool below(const Candidate& other) const {
    const bool equal = other.value == value || (other.value != other.value && value != value);
    return equal ? other.index < index : !Maximum::takes_first(value, other.value);
  }
};

/// The largest of a row of n >= 1, for every lane of a warp. Lanes behind the row's end stand for its first element.
template <class T>
__device__ Candidate<compute_t<T>> largest_of_row(const T* x, std::int64_t n) {
  using C = compute_t<T>;
  Candidate<C> best{static_cast<C>(x[0]), 0};
  for (std::int64_t i = threadIdx.x % kWarp; i < n; i += kWarp) {
    if (const Candidate<C> next{static_cast<C>(x[i]), i}; best.below(next)) best = next;
  }
  for (int distance = kWarp / 2; distance > 0; distance /= 2) {
    const Candidate<C> other{__shfl_xor_sync(~0u, best.value, distance), __shfl_xor_sync(~0u, best.index, distance)};
    if (best.below(other)) best = other;
  }
  return best;
}

}  // namespace tk::cuda
