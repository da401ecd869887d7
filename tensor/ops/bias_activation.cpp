#include "tensor/ops/bias_activation.h"

#include "tensor/kernels.h"
#include "tensor/ops/sum_target.h"

namespace tk {

Tensor bias_activation(const Tensor& x, const Tensor& bias, Activation activation) {
  const DType dtype = row_dtype(x.dtype());
  TK_CHECK(x.rank() >= 1 && bias.shape() == Shape{x.shape().back()} && bias.dtype() == dtype,
           "bias_activation: expected a ", dtype, " bias of the last dimension of ", x.dtype(), ' ', x.shape(),
           ", got ", bias.dtype(), ' ', bias.shape());
  Tensor y = empty_like(x);
  bias_activation_kernel(x.device(), y, x.contiguous(), bias.contiguous(), activation);
  return y;
}

Tensor bias_activation_backward(const Tensor& dy, const Tensor& x, const Tensor& bias, Activation activation,
                                const SumTarget& dbias) {
  check_target("bias_activation", dbias, bias);
  Tensor dx = empty_like(x);
  bias_activation_backward_kernel(x.device(), dx, dbias, dy.contiguous(), x.contiguous(), bias.contiguous(),
                                  activation);
  return dx;
}

}  // namespace tk
