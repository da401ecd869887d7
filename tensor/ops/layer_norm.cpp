#include "tensor/ops/layer_norm.h"

#include "tensor/kernels.h"
#include "tensor/ops/sum_target.h"

namespace tk {

void check_layer_norm(const char* op, const Tensor& x, const Tensor& gamma, const Tensor& beta) {
  TK_CHECK(x.rank() >= 1 && x.shape().back() >= 1, op, ": expected rows with at least one element, got ", x.shape());
  const Shape expected{x.shape().back()};
  TK_CHECK(gamma.shape() == expected && beta.shape() == expected, op, ": expected gamma and beta of ", expected,
           ", got ", gamma.shape(), " and ", beta.shape());
  const DType dtype = row_dtype(x.dtype());
  TK_CHECK(gamma.dtype() == dtype && beta.dtype() == dtype, op, ": expected gamma and beta of ", dtype, " for x of ",
           x.dtype(), ", got ", gamma.dtype(), " and ", beta.dtype());
}

LayerNormOutput layer_norm(const Tensor& x, const Tensor& gamma, const Tensor& beta, double epsilon) {
  check_layer_norm("layer_norm", x, gamma, beta);
  const Shape rows = x.shape().without(x.rank() - 1);
  const DType dtype = row_dtype(x.dtype());
  LayerNormOutput out{empty_like(x), empty(rows, dtype, x.device()), empty(rows, dtype, x.device())};
  layer_norm_kernel(x.device(), out.y, out.mean, out.rstd, x.contiguous(), gamma.contiguous(), beta.contiguous(),
                    epsilon);
  return out;
}

Tensor layer_norm_backward(const Tensor& dy, const Tensor& x, const Tensor& mean, const Tensor& rstd,
                           const Tensor& gamma, const SumTarget& dgamma, const SumTarget& dbeta) {
  for (const SumTarget& sum : {dgamma, dbeta}) check_target("layer_norm", sum, gamma);
  Tensor dx = empty_like(x);
  layer_norm_backward_kernel(x.device(), dx, dgamma, dbeta, dy.contiguous(), x.contiguous(), mean, rstd,
                             gamma.contiguous());
  return dx;
}

}  // namespace tk
