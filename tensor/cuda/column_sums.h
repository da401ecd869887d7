#pragma once

#include <algorithm>
#include <vector>

#include "tensor/beside.h"
#include "tensor/cuda/pack.h"
#include "tensor/kernel_arguments.h"

// Sums over rows with a tree that is fixed by the shape.
namespace tk::cuda {

inline constexpr int kColumnLanes = 8;  // threads across, a unit of columns each: 128 bytes of a row
inline constexpr int kRowLanes = kThreads / kColumnLanes;

/// Columns whose sums a block makes.
template <class X>
inline constexpr int kTileColumns = kColumnLanes* kUnit<X>;

inline constexpr int kMostSums = 4;

/// Where up to four sums go; null where one is not wanted.
template <class Y>
struct SumOutputs {
  Y* y[kMostSums];
  bool add[kMostSums];
};

/// Calls sum() beside the queue where all `targets` allow it. Else in the queue, behind work beside if that may be
/// writing to one of them.
template <class F>
void sum_for(const std::vector<SumTarget>& targets, F&& sum) {
  const auto is_beside = [](const SumTarget& target) { return target && target.beside; };
  if (std::ranges::all_of(targets, [&](const SumTarget& target) { return !target || is_beside(target); })) {
    run_beside(Device::kCuda, sum);
  } else {
    if (std::ranges::any_of(targets, is_beside)) join_beside(Device::kCuda);
    sum();
  }
}

/// Calls launch(outputs) with the places of `targets`, in order: again for one that goes where another one of the same
/// call does, as it is to be added to that one. Not at all where nothing is wanted.
template <class Y, class F>
void for_each_launch(const std::vector<SumTarget>& targets, F&& launch) {
  SumOutputs<Y> out{};
  const auto launch_wanted = [&] {
    if (std::any_of(out.y, out.y + kMostSums, [](const Y* y) { return y != nullptr; })) launch(out);
    out = {};
  };
  int sum = 0;
  for (const SumTarget& target : targets) {
    Y* const y = target ? target.out.data<Y>() : nullptr;
    if (y != nullptr && std::find(out.y, out.y + sum, y) != out.y + sum) launch_wanted();
    out.y[sum] = y;
    out.add[sum++] = target.add;
  }
  launch_wanted();
}

// The sum of rows [begin, end) of x [., cols] in column tile + threadIdx.x, for the first kTileColumns threads of a
// block. A thread sums every 32nd row; then the four threads of a warp that share a column, then the warps in order.
template <class X>
__device__ compute_t<X> sum_of_column(const X* x, std::int64_t begin, std::int64_t end, std::int64_t cols,
                                      std::int64_t tile, bool wide) {
  using C = compute_t<X>;
  constexpr int N = kUnit<X>, kTile = kTileColumns<X>, kWarps = kThreads / kWarp;
  __shared__ C of_warp[kWarps][kTile];
  const std::int64_t col = tile + threadIdx.x % kColumnLanes * N;
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
  C total = 0;
  if (threadIdx.x < kTile) {
    for (int warp = 0; warp < kWarps; ++warp) total += of_warp[warp][threadIdx.x];
  }
  return total;
}

// y[chunk, c] = sum of x[r, c] over a chunk's rows; blockIdx = (tile of columns, chunk, matrix), for which x is
// [matrices, rows, cols].
template <class X, class Y>
__global__ void __launch_bounds__(kThreads)
    sum_chunks_of_rows(const __grid_constant__ SumOutputs<Y> out, const X* x, std::int64_t rows, std::int64_t cols,
                       std::int64_t chunk, bool wide) {
  using C = compute_t<X>;
  if (out.y[blockIdx.z] == nullptr) return;
  const std::int64_t begin = blockIdx.y * chunk, end = min(rows, begin + chunk);
  const std::int64_t tile = std::int64_t{blockIdx.x} * kTileColumns<X>, col = tile + threadIdx.x;
  const C total = sum_of_column(x + blockIdx.z * rows * cols, begin, end, cols, tile, wide);
  if (threadIdx.x >= kTileColumns<X> || col >= cols) return;
  Y* y = out.y[blockIdx.z] + blockIdx.y * cols + col;
  *y = static_cast<Y>(out.add[blockIdx.z] ? static_cast<C>(*y) + total : total);
}

/// out.y[m][chunk, c] = the sums of chunks of `chunk` rows of x [matrices, rows, cols], or += them.
template <class X, class Y>
void sum_chunks(const SumOutputs<Y>& out, int matrices, const X* x, std::int64_t rows, std::int64_t cols,
                std::int64_t chunk) {
  const bool wide = cols % kUnit<X> == 0 && reinterpret_cast<std::uintptr_t>(x) % 16 == 0;
  const dim3 grid(blocks(cols, kTileColumns<X>), blocks(rows, chunk), static_cast<unsigned>(matrices));
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
  void finish(const std::vector<SumTarget>& targets) const {
    sum_for(targets, [sums = *this, targets] {
      for_each_launch<T>(targets, [&](const SumOutputs<T>& out) {
        sum_chunks(out, static_cast<int>(sums.partial.shape()[0]), sums.partial.data<T>(), sums.blocks, sums.cols,
                   std::max<std::int64_t>(1, sums.blocks));
      });
    });
  }
};

}  // namespace tk::cuda
