#pragma once

#include "tensor/kernel_arguments.h"

namespace tk {

/// What residual_dropout_layer_norm keeps for its backward: z is the sum before the normalisation.
struct ResidualOutput {
  Tensor y;
  Tensor z;
  Tensor mean;
  Tensor rstd;
};

/// y = layer_norm(z), z = residual + scale * dropout(x + bias): the end of both halves of an encoder layer.
/// x, residual [rows, cols]; bias, gamma, beta [cols]; scale [rows]; bias and scale may be undefined. Without
/// `for_backward` only y is kept.
ResidualOutput residual_dropout_layer_norm(const Tensor& x, const Tensor& bias, const Tensor& residual,
                                           const Tensor& scale, const Tensor& gamma, const Tensor& beta, double epsilon,
                                           const DropoutKey& key, bool for_backward = true);

/// What the backward makes where it is wanted: gradients of the residual and of the scale, and sums over the rows,
/// dbias that of dx.
struct ResidualTargets {
  SumTarget dresidual;
  SumTarget dscale;
  SumTarget dgamma;
  SumTarget dbeta;
  SumTarget dbias;
};
/// dx; the others go to their targets.
Tensor residual_dropout_layer_norm_backward(const Tensor& dy, const Tensor& z, const Tensor& mean, const Tensor& rstd,
                                            const Tensor& x, const Tensor& bias, const Tensor& scale,
                                            const Tensor& gamma, const DropoutKey& key, const ResidualTargets& to);

}  // namespace tk
