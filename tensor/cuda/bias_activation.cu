#include "tensor/cuda/activation.h"
#include "tensor/cuda/column_sums.h"
#include "tensor/cuda/pack.h"
#include "tensor/kernels.h"

namespace tk::cuda {
namespace {

// Rows of a thread, which reads its columns of the bias once and has the loads of all rows in flight.
constexpr int kRows = 4;

// A thread's part of [rows, cols]: a unit of columns of kRows rows.
template <class T>
struct Tile {
  std::int64_t col;
  std::int64_t first;
  std::int64_t count;  // rows, may be none

  __device__ Tile(std::int64_t rows, std::int64_t cols) {
    const std::int64_t units = (cols + kUnit<T> - 1) / kUnit<T>;
    const std::int64_t i = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
    first = i / units * kRows;
    col = i % units * kUnit<T>;
    count = min(rows - first, std::int64_t{kRows});
  }

  static unsigned grid(std::int64_t rows, std::int64_t cols) {
    return blocks(std::int64_t{blocks(cols, kUnit<T>)} * blocks(rows, kRows), kThreads);
  }
};

template <class F, class T>
__global__ void bias_activation_tiles(T* y, const T* x, const compute_t<T>* bias, std::int64_t rows, std::int64_t cols,
                                bool wide) {
  constexpr int N = kUnit<T>;
  const Tile<T> tile(rows, cols);
  if (tile.count <= 0) return;
  const std::int64_t at = tile.first * cols + tile.col, count = cols - tile.col;
  const auto b = load<N>(bias + tile.col, count, wide);
  Pack<T, N> from[kRows];
#pragma unroll
  for (int r = 0; r < kRows; ++r) {
    if (r < tile.count) from[r] = load<N>(x + at + r * cols, count, wide);
  }
#pragma unroll
  for (int r = 0; r < kRows; ++r) {
    compute_t<T> result[N];
    for (int k = 0; k < N; ++k) {
      result[k] = activate<F>(from[r][k] + b[k]);
    }
    if (r < tile.count) store(y + at + r * cols, result, count, wide);
  }
}

constexpr int kWarps = kThreads / kWarp;
constexpr std::int64_t kMostRowBlocks = 64;  // of a backward, few enough for the sums of their sums

// A block takes a unit of columns for each lane and rows_per_block rows, a warp kRows of them at a time. partial
// [blockIdx.y, cols] is the sum of dx over the block's rows: a thread's own first, then over the warps.
template <class F, class T, class C>
__global__ void __launch_bounds__(kThreads)
    bias_activation_backward_tiles(T* dx, C* partial, const T* dy, const T* x, const C* bias, std::int64_t rows,
                             std::int64_t cols, std::int64_t rows_per_block, bool wide) {
  constexpr int N = kUnit<T>, kTile = kWarp * N;
  const int warp = threadIdx.x / kWarp, lane = threadIdx.x % kWarp;
  const std::int64_t tile = std::int64_t{blockIdx.x} * kTile, col = tile + lane * N, columns = cols - col;
  const std::int64_t begin = blockIdx.y * rows_per_block, end = min(rows, begin + rows_per_block);
  const auto b = load<N>(bias + col, columns, wide);
  C sum[N] = {};
  for (std::int64_t row = begin + warp * kRows; row < end; row += kWarps * kRows) {
    const std::int64_t at = row * cols + col, count = end - row;
    Pack<T, N> from[kRows], upstream[kRows];
#pragma unroll
    for (int r = 0; r < kRows; ++r) {
      if (r >= count) continue;
      from[r] = load<N>(x + at + r * cols, columns, wide);
      upstream[r] = load<N>(dy + at + r * cols, columns, wide);
    }
#pragma unroll
    for (int r = 0; r < kRows; ++r) {
      if (r >= count) continue;
      C result[N];
      for (int k = 0; k < N; ++k) {
        result[k] = upstream[r][k] * activation_derivative<F>(from[r][k] + b[k]);
        sum[k] += result[k];
      }
      store(dx + at + r * cols, result, columns, wide);
    }
  }
  __shared__ alignas(16) C of_warp[kWarps][kTile];
  Pack<C, N>(sum).put(&of_warp[warp][lane * N]);
  __syncthreads();
  const int i = threadIdx.x;
  if (i >= kTile || tile + i >= cols) return;
  C total = 0;
  for (int w = 0; w < kWarps; ++w) total += of_warp[w][i];
  partial[blockIdx.y * cols + tile + i] = total;
}

}  // namespace

void bias_activation(Tensor& y, const Tensor& x, const Tensor& bias, Activation activation) {
  if (y.numel() == 0) return;
  dispatch_arithmetic(y.dtype(), "bias_activation", [&]<class T>() {
    dispatch_activation(activation, [&]<class F>() {
      const std::int64_t cols = bias.numel(), rows = y.numel() / cols;
      bias_activation_tiles<F><<<Tile<T>::grid(rows, cols), kThreads, 0, stream()>>>(
          y.data<T>(), x.data<T>(), bias.data<compute_t<T>>(), rows, cols, wide_rows(cols, kUnit<T>, y, x, bias));
    });
    check_launch("bias_activation");
  });
}

void bias_activation_backward(Tensor& dx, const SumTarget& dbias, const Tensor& dy, const Tensor& x, const Tensor& bias,
                              Activation activation) {
  const std::int64_t cols = bias.numel();
  if (cols == 0) return;
  const std::int64_t rows = dx.numel() / cols;
  dispatch_arithmetic(dx.dtype(), "bias_activation", [&]<class T>() {
    using C = compute_t<T>;
    const PartialSums sums(1, rows, cols, kWarps * kRows, kMostRowBlocks, dtype_of<C>);
    if (rows > 0) {
      dispatch_activation(activation, [&]<class F>() {
        const dim3 grid(blocks(cols, kWarp * kUnit<T>), blocks(sums.blocks, 1));
        bias_activation_backward_tiles<F><<<grid, kThreads, 0, stream()>>>(
            dx.data<T>(), sums.partial.data<C>(), dy.data<T>(), x.data<T>(), bias.data<C>(), rows, cols,
            sums.rows_per_block, wide_rows(cols, kUnit<T>, dx, dy, x, bias));
      });
      check_launch("bias_activation_backward");
    }
    sums.finish<C>({dbias});
  });
}

}  // namespace tk::cuda
