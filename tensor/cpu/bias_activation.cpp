#include "tensor/cpu/bias_activation_row.h"
#include "tensor/cpu/column_sums.h"
#include "tensor/cpu/parallel.h"
#include "tensor/cpu/simd.h"
#include "tensor/kernels.h"

namespace tk::cpu {
namespace {

template <class F, class T>
TK_SIMD void bias_activation_backward_row(T* dx, const T* dy, const T* x, const T* bias, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) dx[i] = dy[i] * F::derivative(x[i] + bias[i], T());
}

}  // namespace

void bias_activation(Tensor& y, const Tensor& x, const Tensor& bias, Activation activation) {
  dispatch_floating(y.dtype(), "bias_activation", [&]<class T>() {
    dispatch_activation(activation, [&]<class F>() {
      const std::int64_t cols = bias.numel();
      parallel_rows(cols == 0 ? 0 : y.numel() / cols, cols, [&](std::int64_t row) {
        bias_activation_row<F>(y.data<T>() + row * cols, x.data<T>() + row * cols, bias.data<T>(), cols);
      });
    });
  });
}

void bias_activation_backward(Tensor& dx, const SumTarget& dbias, const Tensor& dy, const Tensor& x, const Tensor& bias,
                              Activation activation) {
  dispatch_floating(dx.dtype(), "bias_activation", [&]<class T>() {
    dispatch_activation(activation, [&]<class F>() {
      const std::int64_t cols = bias.numel();
      parallel_rows(cols == 0 ? 0 : dx.numel() / cols, cols, [&](std::int64_t row) {
        bias_activation_backward_row<F>(dx.data<T>() + row * cols, dy.data<T>() + row * cols, x.data<T>() + row * cols,
                                        bias.data<T>(), cols);
      });
    });
  });
  sum_columns_if_wanted(dbias, dx);
}

}  // namespace tk::cpu
