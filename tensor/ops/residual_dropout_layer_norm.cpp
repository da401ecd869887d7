#include "tensor/ops/residual_dropout_layer_norm.h"

#include "tensor/kernels.h"
#include "tensor/ops/dropout.h"
#include "tensor/ops/layer_norm.h"
#include "tensor/ops/row_major.h"
#include "tensor/ops/sum_target.h"

namespace tk {

ResidualOutput residual_dropout_layer_norm(const Tensor& x, const Tensor& bias, const Tensor& residual,
                                           const Tensor& scale, const Tensor& gamma, const Tensor& beta, double epsilon,
                                           const DropoutKey& key, bool for_backward) {
  constexpr const char* kOp = "residual_dropout_layer_norm";
  TK_CHECK(x.rank() == 2 && residual.shape() == x.shape() && residual.dtype() == x.dtype(), kOp,
           ": expected x and residual [rows, cols], got ", x.dtype(), ' ', x.shape(), " and ", residual.dtype(), ' ',
           residual.shape());
  check_layer_norm(kOp, x, gamma, beta);
  check_dropout(kOp, key, x.shape()[0]);
  const Shape rows{x.shape()[0]};
  const DType dtype = row_dtype(x.dtype());
  TK_CHECK(!bias.defined() || (bias.shape() == gamma.shape() && bias.dtype() == dtype), kOp, ": expected a ", dtype,
           " bias of ", gamma.shape(), ", got ", bias.dtype(), ' ', bias.shape());
  TK_CHECK(!scale.defined() || (scale.shape() == rows && scale.dtype() == dtype), kOp, ": expected a ", dtype,
           " scale of ", rows, ", got ", scale.dtype(), ' ', scale.shape());
  ResidualOutput out{.y = empty_like(x), .z = {}, .mean = {}, .rstd = {}};
  if (for_backward) {
    out.z = empty_like(x);
    out.mean = empty(rows, dtype, x.device());
    out.rstd = empty(rows, dtype, x.device());
  }
  residual_dropout_layer_norm_kernel(x.device(), out.y, out.z, out.mean, out.rstd, x.contiguous(),
                                     contiguous_if_given(bias), residual.contiguous(), contiguous_if_given(scale),
                                     gamma.contiguous(), beta.contiguous(), epsilon, key);
  return out;
}

Tensor residual_dropout_layer_norm_backward(const Tensor& dy, const Tensor& z, const Tensor& mean, const Tensor& rstd,
                                            const Tensor& x, const Tensor& bias, const Tensor& scale,
                                            const Tensor& gamma, const DropoutKey& key, const ResidualTargets& to) {
  constexpr const char* kOp = "residual_dropout_layer_norm";
  for (const SumTarget& sum : {to.dgamma, to.dbeta, to.dbias}) check_target(kOp, sum, gamma);
  check_target(kOp, to.dresidual, z);
  check_target(kOp, to.dscale, scale);
  Tensor dx = empty_like(z);
  residual_dropout_layer_norm_backward_kernel(
      dy.device(), dx, to.dresidual, to.dscale, to.dgamma, to.dbeta, to.dbias, dy.contiguous(), z, mean, rstd,
      contiguous_if_given(x), contiguous_if_given(bias), contiguous_if_given(scale), gamma.contiguous(), key);
  return dx;
}

}  // namespace tk
