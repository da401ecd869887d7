#include "tensor/ops/softmax.h"

#include "tensor/kernels.h"

namespace tk {

Tensor softmax(const Tensor& x) {
  TK_CHECK(x.rank() >= 1, "softmax: expected at least one dimension, got ", x.shape());
  Tensor y = empty_like(x);
  softmax_kernel(x.device(), y, x.contiguous());
  return y;
}

Tensor softmax_backward(const Tensor& dy, const Tensor& y) {
  Tensor dx = empty_like(y);
  softmax_backward_kernel(y.device(), dx, dy.contiguous(), y);
  return dx;
}

Tensor log_softmax(const Tensor& x) {
  TK_CHECK(x.rank() >= 1, "log_softmax: expected at least one dimension, got ", x.shape());
  Tensor y = empty_like(x);
  log_softmax_kernel(x.device(), y, x.contiguous());
  return y;
}

Tensor log_softmax_backward(const Tensor& dy, const Tensor& y) {
  Tensor dx = empty_like(y);
  log_softmax_backward_kernel(y.device(), dx, dy.contiguous(), y);
  return dx;
}

}  // namespace tk
