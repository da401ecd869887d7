#pragma once

#include <initializer_list>

#include "tensor/cuda/pack.h"
#include "tensor/kernel_arguments.h"

// Sums over rows with a tree that is fixed by the shape.
namespace tk::cuda {

inline constexpr int kColumnLanes = 8;  // threads across, a unit of columns each: 128 bytes of a row
inline constexpr int kRowLanes = kThreads / kColumnLanes;

inline constexpr int kMostSums = 3;

/// Where the column sums of up to three matrices go; null where one is not wanted.
template <class Y>
struct SumOutputs {
  Y* y[kMostSums];
  bool add[kMostSums];
};

// y[chunk, c] = sum of x[r, c] over a chunk's rows; blockIdx = (tile of columns, chunk, matrix), for which x is
// [matrices, rows, cols]. A thread sums every 32nd row; then the four threads of a warp that share a column, then the
// warps in order.
template <class X, class Y>
__global__ void __launch_bounds__(kThreads)
    sum_chunks_of_rows(const __grid_constant__ SumOutputs<Y> out, const X* x, std::int64_t rows, std::int64_t cols,
                       std::int64_t chunk, bool wide) {
  using C = compute_t<X>;
  constexpr int N = kUnit<X>, kTile = kColumnLanes * N, kWarps = kThreads / kWarp;
  __shared__ C of_warp[kWarps][kTile];
  const std::int64_t tile = std::int64_t{blockIdx.x} * kTile;
  const std::int64_t col = tile + threadIdx.x % kColumnLanes * N;
  const std::int64_t begin = blockIdx.y * chunk, end = min(rows, begin + chunk);
  if (out.y[blockIdx.z] == nullptr) return;
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
  Y* y = out.y[blockIdx.z] + blockIdx.y * cols + tile + i;
  *y = static_cast<Y>(out.add[blockIdx.z] ? static_cast<C>(*y) + total : total);
}

/// out.y[m][chunk, c] = the sums of chunks of `chunk` rows of x [matrices, rows, cols], or += them.
template <class X, class Y>
void sum_chunks(const SumOutputs<Y>& out, int matrices, const X* x, std::int64_t rows, std::int64_t cols,
                std::int64_t chunk) {
  const bool wide = cols % kUnit<X> == 0 && reinterpret_cast<std::uintptr_t>(x) % 16 == 0;
  const dim3 grid(blocks(cols, kColumnLanes * kUnit<X>), blocks(rows, chunk), static_cast<unsigned>(matrices));
  sum_chunks_of_rows<<<grid, kThreads, 0, stream()>>>(out, x, rows, cols, chunk, wide);
  check_launch("sum_columns");
}

/// What a kernel that goes over [rows, cols] anyway adds up: `partial` [sums, blocks, cols], a row of each sum a block
/// of rows.
struct PartialSums {
  std::int64_t cols;
  std::int64_t rows_per_block;
  std::int64_t blocks;
  Tensor partial;

  /// At most `most_blocks`, of a multiple of `unit` rows each.
  PartialSums(int sums, std::int64_t rows, std::int64_t cols, std::int64_t unit, std::int64_t most_blocks, DType dtype)
      : cols(cols),
        rows_per_block(unit * cuda::blocks(rows, unit * most_blocks)),
        blocks((rows + rows_per_block - 1) / rows_per_block),
        partial(empty({sums, blocks, cols}, dtype, Device::kCuda)) {}

  /// The sums over the blocks, to where they are wanted. `targets`: one for each sum, in order.
  template <class T>
  void finish(std::initializer_list<SumTarget> targets) const {
    SumOutputs<T> out{};
    int sum = 0;
    for (const SumTarget& target : targets) {
      T* const y = target ? target.out.data<T>() : nullptr;
      if (y != nullptr &&
          std::find(out.y, out.y + sum, y) != out.y + sum) {  // the same place again: after what goes there first
        launch(out);
        out = {};
      }
      out.y[sum] = y;
      out.add[sum++] = target.add;
    }
    launch(out);
  }

 private:
  template <class T>
  void launch(const SumOutputs<T>& out) const {
    if (std::all_of(out.y, out.y + kMostSums, [](const T* y) { return y == nullptr; })) return;
    const auto sums = static_cast<int>(partial.shape()[0]);
    sum_chunks(out, sums, partial.data<T>(), blocks, cols, std::max<std::int64_t>(1, blocks));
  }
};

}  // namespace tk::cuda
