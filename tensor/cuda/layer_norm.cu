#include "tensor/cuda/column_sums.h"
#include "tensor/cuda/layer_norm_row.h"
#include "tensor/kernels.h"

namespace tk::cuda {
namespace {

template <int N, class T, class C>
__global__ void __launch_bounds__(kMostRowThreads)
    normalize_rows(T* y, C* mean, C* rstd, const T* x, const C* gamma, const C* beta, C epsilon, std::int64_t cols,
                   bool wide) {
  const std::int64_t col = threadIdx.x * N, count = cols - col, at = blockIdx.x * cols + col;
  const Pack<T, N> from = load<N>(x + at, count, wide);
  const Pack<C, N> g = load<N>(gamma + col, count, wide), b = load<N>(beta + col, count, wide);
  C values[N];
  for (int k = 0; k < N; ++k) values[k] = from[k];
  const Moments<C> moments = moments_of_row(values, epsilon, cols, count);
  normalize_row(values, values, moments, g, b);
  store(y + at, values, count, wide);
  if (threadIdx.x == 0) {
    mean[blockIdx.x] = moments.mean;
    rstd[blockIdx.x] = moments.rstd;
  }
}

// A block goes over rows_per_block rows and adds up their shares of dgamma and dbeta.
template <int N, class T, class C>
__global__ void __launch_bounds__(kMostRowThreads)
    normalize_backward_rows(T* dx, C* partial, const T* dy, const T* x, const C* mean, const C* rstd, const C* gamma,
                            std::int64_t rows, std::int64_t rows_per_block, std::int64_t cols, bool wide) {
  const std::int64_t col = threadIdx.x * N, count = cols - col;
  const Pack<C, N> g = load<N>(gamma + col, count, wide);
  const std::int64_t begin = blockIdx.x * rows_per_block, end = min(rows, begin + rows_per_block);
  AffineSums<C, N> sums;
  for (std::int64_t row = begin; row < end; ++row) {
    const std::int64_t at = row * cols + col;
    const Pack<T, N> upstream = load<N>(dy + at, count, wide), from = load<N>(x + at, count, wide);
    C d[N];
    layer_norm_backward_row(d, sums, upstream, from, Moments<C>{mean[row], rstd[row]}, g, cols);
    store(dx + at, d, count, wide);
  }
  sums.store_partial(partial, cols, col, wide);
}

}  // namespace

void layer_norm(Tensor& y, Tensor& mean, Tensor& rstd, const Tensor& x, const Tensor& gamma, const Tensor& beta,
                double epsilon) {
  const std::int64_t rows = mean.numel(), cols = gamma.numel();
  if (rows == 0) return;
  dispatch_arithmetic(y.dtype(), "layer_norm", [&]<class T>() {
    dispatch_columns<T>(cols, "layer_norm", [&]<int N>() {
      using C = compute_t<T>;
      normalize_rows<N><<<blocks(rows, 1), row_threads(cols, N, kMostRowThreads), 0, stream()>>>(
          y.data<T>(), mean.data<C>(), rstd.data<C>(), x.data<T>(), gamma.data<C>(), beta.data<C>(),
          static_cast<C>(epsilon), cols, wide_rows(cols, N, y, x, gamma, beta));
      check_launch("layer_norm");
    });
  });
}

void layer_norm_backward(Tensor& dx, Tensor& dgamma, Tensor& dbeta, const Tensor& dy, const Tensor& x,
                         const Tensor& mean, const Tensor& rstd, const Tensor& gamma) {
  const std::int64_t rows = mean.numel(), cols = gamma.numel();
  dispatch_arithmetic(dx.dtype(), "layer_norm", [&]<class T>() {
    dispatch_columns<T>(cols, "layer_norm", [&]<int N>() {
      using C = compute_t<T>;
      const PairOfSums sums(rows, cols, dtype_of<C>);
      if (rows > 0) {
        normalize_backward_rows<N><<<blocks(sums.blocks, 1), row_threads(cols, N, kMostRowThreads), 0, stream()>>>(
            dx.data<T>(), sums.partial.data<C>(), dy.data<T>(), x.data<T>(), mean.data<C>(), rstd.data<C>(),
            gamma.data<C>(), rows, sums.rows_per_block, cols, wide_rows(cols, N, dx, dy, x, gamma, sums.partial));
        check_launch("layer_norm_backward");
      }
      sums.finish<C>(dgamma, dbeta);
    });
  });
}

}  // namespace tk::cuda
