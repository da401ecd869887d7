#include "tensor/cuda/block_reduce.h"
#include "tensor/cuda/gradient_target.h"
#include "tensor/kernels.h"

namespace tk::cuda {
namespace {

constexpr int kRowsPerBlock = kThreads / kWarp;

// A warp a row.
template <int N, class T, class C>
__global__ void __launch_bounds__(kThreads)
    lerp_each_row(T* y, const T* a, const T* b, const C* weight, std::int64_t rows, std::int64_t cols, bool wide) {
  const std::int64_t row = std::int64_t{blockIdx.x} * kRowsPerBlock + threadIdx.x / kWarp;
  if (row >= rows) return;
  const C w = weight[row];
  for (std::int64_t col = threadIdx.x % kWarp * N; col < cols; col += kWarp * N) {
    const std::int64_t at = row * cols + col, count = cols - col;
    const Pack<T, N> from = load<N>(a + at, count, wide), to = load<N>(b + at, count, wide);
    C values[N];
#pragma unroll
    for (int k = 0; k < N; ++k) values[k] = (C(1) - w) * from[k] + w * to[k];
    store(y + at, values, count, wide);
  }
}

template <int N, class T, class C>
__global__ void __launch_bounds__(kThreads)
    lerp_each_row_backward(GradientTarget<T> da, GradientTarget<T> db, GradientTarget<C> dweight, const T* dy,
                           const T* a, const T* b, const C* weight, std::int64_t rows, std::int64_t cols, bool wide) {
  const std::int64_t row = std::int64_t{blockIdx.x} * kRowsPerBlock + threadIdx.x / kWarp;
  if (row >= rows) return;
  const C w = weight[row];
  C slope = 0;
  for (std::int64_t col = threadIdx.x % kWarp * N; col < cols; col += kWarp * N) {
    const std::int64_t at = row * cols + col, count = cols - col;
    const Pack<T, N> d = load<N>(dy + at, count, wide);
    if (dweight.out != nullptr) {
      const Pack<T, N> from = load<N>(a + at, count, wide), to = load<N>(b + at, count, wide);
#pragma unroll
      for (int k = 0; k < N; ++k) slope += d[k] * (to[k] - from[k]);
    }
    C to_a[N], to_b[N];
#pragma unroll
    for (int k = 0; k < N; ++k) {
      to_a[k] = (C(1) - w) * d[k];
      to_b[k] = w * d[k];
    }
    da.put(at, to_a, count, wide);
    db.put(at, to_b, count, wide);
  }
  slope = warp_reduce(slope, Sum{});
  if (threadIdx.x % kWarp == 0) dweight.put(row, slope);
}

}  // namespace

void lerp_rows(Tensor& y, const Tensor& a, const Tensor& b, const Tensor& weight) {
  const std::int64_t rows = y.shape()[0], cols = y.shape()[1];
  if (y.numel() == 0) return;
  dispatch_arithmetic(y.dtype(), "lerp_rows", [&]<class T>() {
    constexpr int kN = kUnit<T>;
    lerp_each_row<kN><<<blocks(rows, kRowsPerBlock), kThreads, 0, stream()>>>(
        y.data<T>(), a.data<T>(), b.data<T>(), weight.data<compute_t<T>>(), rows, cols, wide_rows(cols, kN, y, a, b));
    check_launch("lerp_rows");
  });
}

void lerp_rows_backward(const SumTarget& da, const SumTarget& db, const SumTarget& dweight, const Tensor& dy,
                        const Tensor& a, const Tensor& b, const Tensor& weight) {
  const std::int64_t rows = dy.shape()[0], cols = dy.shape()[1];
  if (rows == 0) return;
  dispatch_arithmetic(dy.dtype(), "lerp_rows", [&]<class T>() {
    using C = compute_t<T>;
    constexpr int kN = kUnit<T>;
    lerp_each_row_backward<kN><<<blocks(rows, kRowsPerBlock), kThreads, 0, stream()>>>(
        GradientTarget<T>(da), GradientTarget<T>(db), GradientTarget<C>(dweight), dy.data<T>(), a.data<T>(), b.data<T>(),
        weight.data<C>(), rows, cols, wide_rows(cols, kN, da.out, db.out, dy, a, b));
    check_launch("lerp_rows_backward");
  });
}

}  // namespace tk::cuda
