#pragma once

#include "tensor/cuda/pack.h"

// Sums over rows with a tree that is fixed by the shape.
namespace tk::cuda {

inline constexpr int kColumnLanes = 8;  // threads across, a unit of columns each: 128 bytes of a row
inline constexpr int kRowLanes = kThreads / kColumnLanes;

// y[chunk, c] = sum of x[r, c] over a chunk's rows; blockIdx = (tile of columns, chunk, matrix), for which x is
// [matrices, rows, cols] and y is `first` or `second`. A thread sums every 32nd row; then the four threads of a warp
// that share a column, then the warps in order.
template <class X, class Y>
__global__ void __launch_bounds__(kThreads)
    sum_chunks_of_rows(Y* first, Y* second, const X* x, std::int64_t rows, std::int64_t cols, std::int64_t chunk,
                       bool add, bool wide) {
  using C = compute_t<X>;
  constexpr int N = kUnit<X>, kTile = kColumnLanes * N, kWarps = kThreads / kWarp;
  __shared__ C of_warp[kWarps][kTile];
  const std::int64_t tile = std::int64_t{blockIdx.x} * kTile;
  const std::int64_t col = tile + threadIdx.x % kColumnLanes * N;
  const std::int64_t begin = blockIdx.y * chunk, end = min(rows, begin + chunk);
  x += blockIdx.z * rows * cols;
  C sum[N] = {};
#pragma unroll 4
  for (std::int64_t row = begin + threadIdx.x / kColumnLanes; row < end; row += kRowLanes) {
    const Pack<X, N> values = load<N>(x + row * cols + col, cols - col, wide);
    for (int k = 0; k < N; ++k) sum[k] += values[k];
  }
#pragma unroll
  for (int k = 0; k < N; ++k) {
    for (int distance = kColumnLanes; distance < kWarp; distance *= 2) {
      sum[k] += __shfl_xor_sync(~0u, sum[k], distance);
    }
  }
  if (const int lane = threadIdx.x % kWarp; lane < kColumnLanes) {
    for (int k = 0; k < N; ++k) of_warp[threadIdx.x / kWarp][lane * N + k] = sum[k];
  }
  __syncthreads();
  const int i = threadIdx.x;
  if (i >= kTile || tile + i >= cols) return;
  C total = 0;
  for (int warp = 0; warp < kWarps; ++warp) total += of_warp[warp][i];
  Y* y = (blockIdx.z == 0 ? first : second) + blockIdx.y * cols + tile + i;
  *y = static_cast<Y>(add ? static_cast<C>(*y) + total : total);
}

/// y[chunk, c] = the sums of chunks of `chunk` rows of x [rows, cols], or y += them; with a `second` output x is two
/// such matrices, one behind the other.
template <class X, class Y>
void sum_chunks(Y* y, Y* second, const X* x, std::int64_t rows, std::int64_t cols, std::int64_t chunk, bool add) {
  const bool wide = cols % kUnit<X> == 0 && reinterpret_cast<std::uintptr_t>(x) % 16 == 0;
  const dim3 grid(blocks(cols, kColumnLanes * kUnit<X>), blocks(rows, chunk), second == nullptr ? 1 : 2);
  sum_chunks_of_rows<<<grid, kThreads, 0, stream()>>>(y, second, x, rows, cols, chunk, add, wide);
  check_launch("sum_columns");
}

/// What a kernel that goes over [rows, cols] anyway adds up for two sums of columns (dgamma and dbeta): partial
/// [2, blocks, cols], a row of each sum a block of rows.
struct PairOfSums {
  static constexpr std::int64_t kMostBlocks = 512;

  std::int64_t rows_per_block;
  std::int64_t blocks;
  Tensor partial;

  PairOfSums(std::int64_t rows, std::int64_t cols, DType dtype)
      : rows_per_block(std::max<std::int64_t>(1, (rows + kMostBlocks - 1) / kMostBlocks)),
        blocks((rows + rows_per_block - 1) / rows_per_block),
        partial(empty({2, blocks, cols}, dtype, Device::kCuda)) {}

  /// The sums over the blocks.
  template <class T>
  void finish(Tensor& first, Tensor& second) const {
    sum_chunks(first.data<T>(), second.data<T>(), partial.data<T>(), blocks, first.numel(),
               std::max<std::int64_t>(1, blocks), false);
  }
};

}  // namespace tk::cuda
