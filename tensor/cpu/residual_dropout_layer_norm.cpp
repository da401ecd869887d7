#include "tensor/cpu/column_sums.h"
#include "tensor/cpu/dropout_row.h"
#include "tensor/cpu/residual_row.h"
#include "tensor/kernels.h"

namespace tk::cpu {
namespace {

// sum(dz * factor * (x + bias)), the scale's gradient.
template <class T>
TK_SIMD T branch_dot_row(const T* dz, const T* x, const T* bias, const T* factor, std::int64_t n) {
  T dot = 0;
  if (bias != nullptr && factor != nullptr) {
#pragma omp simd reduction(+ : dot)
    for (std::int64_t i = 0; i < n; ++i) dot += dz[i] * factor[i] * (x[i] + bias[i]);
  } else if (bias != nullptr) {
#pragma omp simd reduction(+ : dot)
    for (std::int64_t i = 0; i < n; ++i) dot += dz[i] * (x[i] + bias[i]);
  } else if (factor != nullptr) {
#pragma omp simd reduction(+ : dot)
    for (std::int64_t i = 0; i < n; ++i) dot += dz[i] * factor[i] * x[i];
  } else {
#pragma omp simd reduction(+ : dot)
    for (std::int64_t i = 0; i < n; ++i) dot += dz[i] * x[i];
  }
  return dot;
}

// dx = scale * factor * dz
template <class T>
TK_SIMD void scaled_copy_row(T* dx, const T* dz, const T* factor, T scale, std::int64_t n) {
  if (factor != nullptr) {
    for (std::int64_t i = 0; i < n; ++i) dx[i] = scale * factor[i] * dz[i];
  } else {
    for (std::int64_t i = 0; i < n; ++i) dx[i] = scale * dz[i];
  }
}

}  // namespace

void residual_dropout_layer_norm(Tensor& y, Tensor& z, Tensor& mean, Tensor& rstd, const Tensor& x, const Tensor& bias,
                                 const Tensor& residual, const Tensor& scale, const Tensor& gamma, const Tensor& beta,
                                 double epsilon, const DropoutKey& key) {
  dispatch_floating(y.dtype(), "residual_dropout_layer_norm", [&]<class T>() {
    const std::int64_t cols = gamma.numel();
    DropoutRow<T> dropout(key, cols);
    const T* row_scale = data_or_null<T>(scale);
    T* const sums = z.defined() ? z.data<T>() : y.data<T>();
    parallel_chunks(y.shape()[0], 16, y.numel(), [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t row = begin; row < end; ++row) {
        T* sum = sums + row * cols;
        add_branch_row(sum, residual.data<T>() + row * cols, x.data<T>() + row * cols, data_or_null<T>(bias),
                       dropout.factors(row), row_scale != nullptr ? row_scale[row] : T(1), cols);
        const Moments<T> moments = moments_row(sum, static_cast<T>(epsilon), cols);
        normalize_row(y.data<T>() + row * cols, sum, moments, gamma.data<T>(), beta.data<T>(), cols);
        if (!mean.defined()) continue;
        mean.data<T>()[row] = moments.mean;
        rstd.data<T>()[row] = moments.rstd;
      }
    });
  });
}

void residual_dropout_layer_norm_backward(Tensor& dx, const SumTarget& dresidual, const SumTarget& dscale,
                                          const SumTarget& dgamma, const SumTarget& dbeta, const SumTarget& dbias,
                                          const Tensor& dy, const Tensor& z, const Tensor& mean, const Tensor& rstd,
                                          const Tensor& x, const Tensor& bias, const Tensor& scale, const Tensor& gamma,
                                          const DropoutKey& key) {
  dispatch_floating(dx.dtype(), "residual_dropout_layer_norm", [&]<class T>() {
    const std::int64_t cols = gamma.numel();
    DropoutRow<T> dropout(key, cols);
    const T* row_scale = data_or_null<T>(scale);
    const Tensor dz = dresidual && !dresidual.add ? dresidual.out : empty_like(z);
    column_sums<T, 2>(mean.numel(), cols, {dgamma, dbeta}, [&](std::int64_t row, std::array<T*, 2> sums) {
      const Moments<T> moments{mean.data<T>()[row], rstd.data<T>()[row]};
      const T* upstream = dy.data<T>() + row * cols;
      const T* sum = z.data<T>() + row * cols;
      T* dsum = dz.data<T>() + row * cols;
      layer_norm_backward_row(dsum, upstream, sum, moments, gamma.data<T>(), cols);
      add_affine_gradients_row(sums[0], sums[1], upstream, sum, moments, cols);
    });
    parallel_chunks(mean.numel(), 16, dx.numel(), [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t row = begin; row < end; ++row) {
        const T* factor = dropout.factors(row);
        T* to = dx.data<T>() + row * cols;
        const T* dsum = dz.data<T>() + row * cols;
        if (dscale) {
          const T slope = branch_dot_row(dsum, x.data<T>() + row * cols, data_or_null<T>(bias), factor, cols);
          T& at = dscale.out.data<T>()[row];
          at = dscale.add ? at + slope : slope;
        }
        scaled_copy_row(to, dsum, factor, row_scale != nullptr ? row_scale[row] : T(1), cols);
      }
    });
    if (Tensor sum = dresidual.out; dresidual.add) add_to(sum, dz);
  });
  sum_columns_if_wanted(dbias, dx);
}

}  // namespace tk::cpu
