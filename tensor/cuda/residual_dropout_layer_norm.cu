#include "tensor/cuda/column_sums.h"
#include "tensor/cuda/gradient_target.h"
#include "tensor/cuda/layer_norm_row.h"
#include "tensor/cuda/random_rows.h"
#include "tensor/kernels.h"

namespace tk::cuda {
namespace {

// scale * dropout(x + bias) of a row; bias and scale may be null.
template <class T>
struct Branch {
  using C = compute_t<T>;

  const T* x;
  const C* bias;
  const C* scale;
  RandomRows random;

  Branch(const Tensor& x, const Tensor& bias, const Tensor& scale, const DropoutKey& key)
      : x(data_or_null<T>(x)), bias(data_or_null<C>(bias)), scale(data_or_null<C>(scale)), random(key) {}

  __device__ C row_scale(std::int64_t row) const { return scale == nullptr ? C(1) : scale[row]; }

  template <int N>
  __device__ Pack<C, N> bias_columns(std::int64_t col, std::int64_t count, bool wide) const {
    return bias == nullptr ? Pack<C, N>{} : load<N>(bias + col, count, wide);
  }
};

template <int N, class T, class C>
__global__ void __launch_bounds__(kMostRowThreads)
    add_and_normalize_rows(T* y, T* z, C* mean, C* rstd, Branch<T> branch, const T* residual, const C* gamma,
                           const C* beta, C epsilon, std::int64_t cols, bool wide) {
  const std::int64_t row = blockIdx.x, col = threadIdx.x * N, count = cols - col, at = row * cols + col;
  const Pack<T, N> from = load<N>(branch.x + at, count, wide), rest = load<N>(residual + at, count, wide);
  const Pack<C, N> bias = branch.template bias_columns<N>(col, count, wide);
  const Pack<C, N> g = load<N>(gamma + col, count, wide), b = load<N>(beta + col, count, wide);
  const C scale = branch.row_scale(row);
  C factor[N], values[N];
  branch.random.row(row).keep_factors(factor, col);
  for (int k = 0; k < N; ++k) values[k] = rest[k] + scale * factor[k] * (from[k] + bias[k]);
  const Pack<T, N> sum(values);
  if (z != nullptr) store(z + at, sum, count, wide);
  for (int k = 0; k < N; ++k) values[k] = sum[k];  // as stored: the backward sees the same rounding
  const Moments<C> moments = moments_of_row(values, epsilon, cols, count);
  normalize_row(values, values, moments, g, b);
  store(y + at, values, count, wide);
  if (mean != nullptr && threadIdx.x == 0) {
    mean[row] = moments.mean;
    rstd[row] = moments.rstd;
  }
}

// dx = scale * factor * dz, dscale = sum(dz * factor * (x + bias)); the third sum is that of dx.
template <int N, class T, class C>
__global__ void __launch_bounds__(kBackwardThreads<T, N>, kBackwardBlocks<T, N>)
    add_and_normalize_backward_rows(T* dx, GradientTarget<T> dz, GradientTarget<C> dscale, C* partial, const T* dy, const T* z, const C* mean,
                                    const C* rstd, Branch<T> branch, const C* gamma, std::int64_t rows,
                                    std::int64_t rows_per_block, std::int64_t cols, bool wide) {
  const std::int64_t col = threadIdx.x * N, count = cols - col;
  const Pack<C, N> g = load<N>(gamma + col, count, wide);
  const std::int64_t begin = blockIdx.x * rows_per_block, end = min(rows, begin + rows_per_block);
  RowSums<T, N, 3> sums;
  UpstreamRow<T, N> next(dy, z, mean, rstd, begin + threadIdx.y, end, cols, col, wide);
  for (std::int64_t first = begin; first < end; first += blockDim.y) {
    const std::int64_t row = first + threadIdx.y, at = row * cols + col;
    const bool there = row < end;
    const UpstreamRow<T, N> upstream = next;
    next = UpstreamRow<T, N>(dy, z, mean, rstd, row + blockDim.y, end, cols, col, wide);
    C d[N];
    const RandomRow random = branch.random.row(there ? row : 0);
    const std::uint32_t kept = random.template kept<N>(col);
    layer_norm_backward_row(d, sums, upstream, g, cols);
    if (there) dz.put(at, d, count, wide);
#pragma unroll
    for (int k = 0; k < N; ++k) d[k] = (kept >> k & 1u) != 0 ? d[k] * static_cast<C>(random.keep_scale) : C(0);
    if (dscale.out != nullptr) {
      C dot = 0;
      if (there) {
        const Pack<T, N> from = load<N>(branch.x + at, count, wide);
        const Pack<C, N> bias = branch.template bias_columns<N>(col, count, wide);
        for (int k = 0; k < N; ++k) dot += k < count ? d[k] * (from[k] + bias[k]) : C(0);
      }
      dot = block_reduce(dot, Sum{});
      if (there && threadIdx.x == 0) dscale.put(row, dot);
    }
    const C scale = there ? branch.row_scale(row) : C(0);
    for (int k = 0; k < N; ++k) {
      d[k] *= scale;
      sums.of[2][k] += d[k];
    }
    if (there) store(dx + at, d, count, wide);
  }
  sums.store_partial(partial, cols, col, wide);
}

}  // namespace

void residual_dropout_layer_norm(Tensor& y, Tensor& z, Tensor& mean, Tensor& rstd, const Tensor& x, const Tensor& bias,
                                 const Tensor& residual, const Tensor& scale, const Tensor& gamma, const Tensor& beta,
                                 double epsilon, const DropoutKey& key) {
  const std::int64_t rows = y.shape()[0], cols = gamma.numel();
  if (rows == 0) return;
  dispatch_arithmetic(y.dtype(), "residual_dropout_layer_norm", [&]<class T>() {
    using C = compute_t<T>;
    T* const sums = data_or_null<T>(z);
    C *const means = data_or_null<C>(mean), *const rstds = data_or_null<C>(rstd);
    dispatch_columns<T>(cols, kMostRowThreads, "residual_dropout_layer_norm", [&]<int N>() {
      add_and_normalize_rows<N><<<blocks(rows, 1), row_threads(cols, N, kMostRowThreads), 0, stream()>>>(
          y.data<T>(), sums, means, rstds, Branch<T>(x, bias, scale, key), residual.data<T>(), gamma.data<C>(),
          beta.data<C>(), static_cast<C>(epsilon), cols, wide_rows(cols, N, y, z, x, bias, residual, gamma, beta));
      check_launch("residual_dropout_layer_norm");
    });
  });
}

void residual_dropout_layer_norm_backward(Tensor& dx, const SumTarget& dz, const SumTarget& dscale,
                                          const SumTarget& dgamma, const SumTarget& dbeta, const SumTarget& dbias,
                                          const Tensor& dy, const Tensor& z, const Tensor& mean, const Tensor& rstd,
                                          const Tensor& x, const Tensor& bias, const Tensor& scale, const Tensor& gamma,
                                          const DropoutKey& key) {
  const std::int64_t rows = mean.numel(), cols = gamma.numel();
  dispatch_arithmetic(dx.dtype(), "residual_dropout_layer_norm", [&]<class T>() {
    dispatch_columns<T>(cols, kTeamThreads, "residual_dropout_layer_norm", [&]<int N>() {
      using C = compute_t<T>;
      const dim3 block = block_of_teams<T, N>(cols);
      const PartialSums sums(3, rows, cols, block.y, kMostBackwardBlocks, dtype_of<C>);
      if (rows > 0) {
        add_and_normalize_backward_rows<N><<<blocks(sums.blocks, 1), block, 0, stream()>>>(
            dx.data<T>(), GradientTarget<T>(dz), GradientTarget<C>(dscale), sums.partial.data<C>(), dy.data<T>(), z.data<T>(),
            mean.data<C>(), rstd.data<C>(), Branch<T>(x, bias, scale, key), gamma.data<C>(), rows, sums.rows_per_block,
            cols, wide_rows(cols, N, dx, dz.out, dy, z, x, bias, gamma, sums.partial));
        check_launch("residual_dropout_layer_norm_backward");
      }
      sums.finish<C>({dgamma, dbeta, dbias});
    });
  });
}

}  // namespace tk::cuda
