#pragma once

#include "tensor/cuda/launch.h"

// Reductions over the threads of a block, in an order that depends on the block's size alone.
namespace tk::cuda {

struct Sum {
  template <class T>
  __device__ T operator()(T a, T b) const {
    return a + b;
  }
};

/// NaN where there is one.
struct Largest {
  template <class T>
  __device__ T operator()(T a, T b) const {
    return a > b || a != a ? a : b;
  }
};

/// Threads of a block that walks a row of `n` elements, `unit` at a time.
inline unsigned row_threads(std::int64_t n, int unit = 1, int most = kThreads) {
  return static_cast<unsigned>(std::min<std::int64_t>(most, blocks(n, std::int64_t{unit} * kWarp) * kWarp));
}

/// Every lane of a warp gets the result over its lanes.
template <class T, class Op>
__device__ T warp_reduce(T x, Op op) {
  for (int distance = kWarp / 2; distance > 0; distance /= 2) x = op(x, __shfl_xor_sync(~0u, x, distance));
  return x;
}

/// Every thread gets the results over the threads of its block, N at once; in a block of several rows of threads
/// (blockDim.y), over those of its row. All threads of the block call it; blockDim.x is a multiple of the warp.
template <class T, int N, class Op>
__device__ void block_reduce(T (&x)[N], Op op) {
  __shared__ T of_warps[kWarp][N];
#pragma unroll
  for (int k = 0; k < N; ++k) x[k] = warp_reduce(x[k], op);
  const int warps = static_cast<int>(blockDim.x) / kWarp;
  if (warps == 1) return;
  auto* const of_warp = of_warps + threadIdx.y * warps;
  __syncthreads();  // readers of an earlier reduction are done
  if (threadIdx.x % kWarp == 0) {
    for (int k = 0; k < N; ++k) of_warp[threadIdx.x / kWarp][k] = x[k];
  }
  __syncthreads();
#pragma unroll
  for (int k = 0; k < N; ++k) {
    x[k] = of_warp[0][k];
    for (int warp = 1; warp < warps; ++warp) x[k] = op(x[k], of_warp[warp][k]);
  }
}

template <class T, class Op>
__device__ T block_reduce(T x, Op op) {
  T values[1] = {x};
  block_reduce(values, op);
  return values[0];
}

}  // namespace tk::cuda
