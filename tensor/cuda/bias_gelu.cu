#include "tensor/cuda/gelu.h"
#include "tensor/cuda/pack.h"
#include "tensor/kernels.h"

namespace tk::cuda {
namespace {

constexpr int kRows =
    4;  // of a thread, which reads its columns of the bias once and has the loads of all rows in flight

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

template <class T>
__global__ void bias_gelu_tiles(T* y, const T* x, const compute_t<T>* bias, std::int64_t rows, std::int64_t cols,
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
      result[k] = gelu(from[r][k] + b[k]);
    }
    if (r < tile.count) store(y + at + r * cols, result, count, wide);
  }
}

template <class T>
__global__ void bias_gelu_backward_tiles(T* dx, const T* dy, const T* x, const compute_t<T>* bias, std::int64_t rows,
                                         std::int64_t cols, bool wide) {
  constexpr int N = kUnit<T>;
  const Tile<T> tile(rows, cols);
  if (tile.count <= 0) return;
  const std::int64_t at = tile.first * cols + tile.col, count = cols - tile.col;
  const auto b = load<N>(bias + tile.col, count, wide);
  Pack<T, N> from[kRows], upstream[kRows];
#pragma unroll
  for (int r = 0; r < kRows; ++r) {
    if (r >= tile.count) continue;
    from[r] = load<N>(x + at + r * cols, count, wide);
    upstream[r] = load<N>(dy + at + r * cols, count, wide);
  }
#pragma unroll
  for (int r = 0; r < kRows; ++r) {
    compute_t<T> result[N];
    for (int k = 0; k < N; ++k) {
      result[k] = upstream[r][k] * gelu_derivative(from[r][k] + b[k]);
    }
    if (r < tile.count) store(dx + at + r * cols, result, count, wide);
  }
}

}  // namespace

void bias_gelu(Tensor& y, const Tensor& x, const Tensor& bias) {
  if (y.numel() == 0) return;
  dispatch_arithmetic(y.dtype(), "bias_gelu", [&]<class T>() {
    const std::int64_t cols = bias.numel(), rows = y.numel() / cols;
    bias_gelu_tiles<<<Tile<T>::grid(rows, cols), kThreads, 0, stream()>>>(
        y.data<T>(), x.data<T>(), bias.data<compute_t<T>>(), rows, cols, wide_rows(cols, kUnit<T>, y, x, bias));
    check_launch("bias_gelu");
  });
}

void bias_gelu_backward(Tensor& dx, const Tensor& dy, const Tensor& x, const Tensor& bias) {
  if (dx.numel() == 0) return;
  dispatch_arithmetic(dx.dtype(), "bias_gelu", [&]<class T>() {
    const std::int64_t cols = bias.numel(), rows = dx.numel() / cols;
    bias_gelu_backward_tiles<<<Tile<T>::grid(rows, cols), kThreads, 0, stream()>>>(
        dx.data<T>(), dy.data<T>(), x.data<T>(), bias.data<compute_t<T>>(), rows, cols,
        wide_rows(cols, kUnit<T>, dx, dy, x, bias));
    check_launch("bias_gelu_backward");
  });
}

}  // namespace tk::cuda
