#include "tensor/cpu/layer_norm_row.h"

#include "tensor/cpu/column_sums.h"
#include "tensor/kernels.h"

namespace tk::cpu {

void layer_norm(Tensor& y, Tensor& mean, Tensor& rstd, const Tensor& x, const Tensor& gamma, const Tensor& beta,
                double epsilon) {
  dispatch_floating(y.dtype(), "layer_norm", [&]<class T>() {
    const std::int64_t cols = gamma.numel();
    parallel_rows(mean.numel(), cols, [&](std::int64_t row) {
      const T* from = x.data<T>() + row * cols;
      const Moments<T> moments = moments_row(from, static_cast<T>(epsilon), cols);
      normalize_row(y.data<T>() + row * cols, from, moments, gamma.data<T>(), beta.data<T>(), cols);
      mean.data<T>()[row] = moments.mean;
      rstd.data<T>()[row] = moments.rstd;
    });
  });
}

void layer_norm_backward(Tensor& dx, const SumTarget& dgamma, const SumTarget& dbeta, const Tensor& dy, const Tensor& x,
                         const Tensor& mean, const Tensor& rstd, const Tensor& gamma) {
  dispatch_floating(dx.dtype(), "layer_norm", [&]<class T>() {
    const std::int64_t cols = gamma.numel();
    column_sums<T, 2>(mean.numel(), cols, {dgamma, dbeta}, [&](std::int64_t row, std::array<T*, 2> sums) {
      const Moments<T> moments{mean.data<T>()[row], rstd.data<T>()[row]};
      const T* upstream = dy.data<T>() + row * cols;
      const T* from = x.data<T>() + row * cols;
      layer_norm_backward_row(dx.data<T>() + row * cols, upstream, from, moments, gamma.data<T>(), cols);
      add_affine_gradients_row(sums[0], sums[1], upstream, from, moments, cols);
    });
  });
}

}  // namespace tk::cpu
