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

template <int N, class T, class C>
__global__ void __launch_bounds__(kBackwardThreads<T, N>, kBackwardBlocks<T, N>)
    normalize_backward_rows(T* dx, C* partial, const T* dy, const T* x, const C* mean, const C* rstd, const C* gamma,
                            std::int64_t rows, std::int64_t rows_per_block, std::int64_t cols, bool wide) {
  const std::int64_t col = threadIdx.x * N, count = cols - col;
  const Pack<C, N> g = load<N>(gamma + col, count, wide);
  const std::int64_t begin = blockIdx.x * rows_per_block, end = min(rows, begin + rows_per_block);
  RowSums<T, N, 2> sums;
  UpstreamRow<T, N> next(dy, x, mean, rstd, begin + threadIdx.y, end, cols, col, wide);
  for (std::int64_t first = begin; first < end; first += blockDim.y) {
    const std::int64_t row = first + threadIdx.y;
    const UpstreamRow<T, N> upstream = next;
    next = UpstreamRow<T, N>(dy, x, mean, rstd, row + blockDim.y, end, cols, col, wide);
    C d[N];
    layer_norm_backward_row(d, sums, upstream, g, cols);
    if (row < end) store(dx + row * cols + col, d, count, wide);
  }
  sums.store_partial(partial, cols, col, wide);
}

}  // namespace

void layer_norm(Tensor& y, Tensor& mean, Tensor& rstd, const Tensor& x, const Tensor& gamma, const Tensor& beta,
                double epsilon) {
  const std::int64_t rows = mean.numel(), cols = gamma.numel();
  if (rows == 0) return;
  dispatch_arithmetic(y.dtype(), "layer_norm", [&]<class T>() {
    dispatch_columns<T>(cols, kMostRowThreads, "layer_norm", [&]<int N>() {
      using C = compute_t<T>;
      normalize_rows<N><<<blocks(rows, 1), row_threads(cols, N, kMostRowThreads), 0, stream()>>>(
          y.data<T>(), mean.data<C>(), rstd.data<C>(), x.data<T>(), gamma.data<C>(), beta.data<C>(),
          static_cast<C>(epsilon), cols, wide_rows(cols, N, y, x, gamma, beta));
      check_launch("layer_norm");
    });
  });
}

void layer_norm_backward(Tensor& dx, const SumTarget& dgamma, const SumTarget& dbeta, const Tensor& dy, const Tensor& x,
                         const Tensor& mean, const Tensor& rstd, const Tensor& gamma) {
  const std::int64_t rows = mean.numel(), cols = gamma.numel();
  dispatch_arithmetic(dx.dtype(), "layer_norm", [&]<class T>() {
    dispatch_columns<T>(cols, kTeamThreads, "layer_norm", [&]<int N>() {
      using C = compute_t<T>;
      const dim3 block = block_of_teams<T, N>(cols);
      const PartialSums sums(2, rows, cols, block.y, kMostBackwardBlocks, dtype_of<C>);
      if (rows > 0) {
        normalize_backward_rows<N><<<blocks(sums.blocks, 1), block, 0, stream()>>>(
            dx.data<T>(), sums.partial.data<C>(), dy.data<T>(), x.data<T>(), mean.data<C>(), rstd.data<C>(),
            gamma.data<C>(), rows, sums.rows_per_block, cols, wide_rows(cols, N, dx, dy, x, gamma, sums.partial));
        check_launch("layer_norm_backward");
      }
      sums.finish<C>({dgamma, dbeta});
    });
  });
}

}  // namespace tk::cuda
