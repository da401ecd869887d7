#include "autograd/ops/residual_dropout_layer_norm.h"

#include "autograd/grad_mode.h"
#include "autograd/ops/dropout.h"
#include "autograd/ops/elementwise.h"
#include "autograd/ops/layer_norm.h"
#include "autograd/ops/shape.h"
#include "tensor/ops/layer_norm.h"
#include "tensor/ops/residual_dropout_layer_norm.h"

namespace tk {

Variable residual_dropout_layer_norm(const Variable& x, const Variable& bias, const Variable& residual,
                                     const Variable& scale, const Variable& gamma, const Variable& beta, double epsilon,
                                     const DropoutKey& key) {
  enum : std::size_t { kX, kBias, kResidual, kScale, kGamma, kBeta };
  const ResidualOutput out = residual_dropout_layer_norm(x.value(), bias.value(), residual.value(), scale.value(),
                                                         gamma.value(), beta.value(), epsilon, key, grad_enabled());
  // Without a scale neither x nor the bias is read again.
  const Saved x_read = scale.defined() ? Saved(x) : Saved();
  const auto again = [z = out.z, gamma = Saved(gamma), beta = Saved(beta), epsilon] {
    return layer_norm(z, gamma.get(), beta.get(), epsilon).y;
  };
  return record("residual_dropout_layer_norm", {out.y, again},
                {{kX, x}, {kBias, bias}, {kResidual, residual}, {kScale, scale}, {kGamma, gamma}, {kBeta, beta}},
                [x = x_read, bias = Saved(bias), scale = Saved(scale), gamma = Saved(gamma), z = out.z, mean = out.mean,
                 rstd = out.rstd, key](const Tensor& dy, Destinations& to) {
                  to.add_if_wanted(kX,
                                   residual_dropout_layer_norm_backward(dy, z, mean, rstd, x, bias, scale, gamma, key,
                                                                        {.dresidual = to.target_if_wanted(kResidual),
                                                                         .dscale = to.target_if_wanted(kScale),
                                                                         .dgamma = to.target_beside(kGamma),
                                                                         .dbeta = to.target_beside(kBeta),
                                                                         .dbias = to.target_beside(kBias)}));
                });
}

Variable residual_dropout_layer_norm_composed(const Variable& x, const Variable& bias, const Variable& residual,
                                              const Variable& scale, const Variable& gamma, const Variable& beta,
                                              double epsilon, const DropoutKey& key) {
  Variable branch = dropout(bias.defined() ? x + bias : x, key);
  if (scale.defined()) branch = branch * reshape(scale, {scale.numel(), 1});
  return layer_norm(residual + branch, gamma, beta, epsilon);
}

}  // namespace tk
