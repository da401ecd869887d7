#include "tensor/ops/bias_gelu.h"

#include "tensor/kernels.h"

namespace tk {

Tensor bias_gelu(const Tensor& x, const Tensor& bias) {
  TK_CHECK(x.rank() >= 1 && bias.shape() == Shape{x.shape().back()} && bias.dtype() == x.dtype(),
           "bias_gelu: expected a bias of the last dimension of ", x.dtype(), ' ', x.shape(), ", got ", bias.dtype(), ' ',
           bias.shape());
  Tensor y = empty_like(x);
  bias_gelu_kernel(x.device(), y, x.contiguous(), bias.contiguous());
  return y;
}

Tensor bias_gelu_backward(const Tensor& dy, const Tensor& x, const Tensor& bias) {
  Tensor dx = empty_like(x);
  bias_gelu_backward_kernel(x.device(), dx, dy.contiguous(), x.contiguous(), bias.contiguous());
  return dx;
}

}  // namespace tk
