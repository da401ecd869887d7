#include "tensor/ops/bias_gelu.h"

#include "tensor/kernels.h"
#include "tensor/ops/sum_target.h"

namespace tk {

Tensor bias_gelu(const Tensor& x, const Tensor& bias) {
  const DType dtype = row_dtype(x.dtype());
  TK_CHECK(x.rank() >= 1 && bias.shape() == Shape{x.shape().back()} && bias.dtype() == dtype, "bias_gelu: expected a ",
           dtype, " bias of the last dimension of ", x.dtype(), ' ', x.shape(), ", got ", bias.dtype(), ' ',
           bias.shape());
  Tensor y = empty_like(x);
  bias_gelu_kernel(x.device(), y, x.contiguous(), bias.contiguous());
  return y;
}

Tensor bias_gelu_backward(const Tensor& dy, const Tensor& x, const Tensor& bias, const SumTarget& dbias) {
  check_target("bias_gelu", dbias, bias);
  Tensor dx = empty_like(x);
  bias_gelu_backward_kernel(x.device(), dx, dbias, dy.contiguous(), x.contiguous(), bias.contiguous());
  return dx;
}

}  // namespace tk
