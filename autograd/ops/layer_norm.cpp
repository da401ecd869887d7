#include "autograd/ops/layer_norm.h"

#include "tensor/ops/layer_norm.h"

namespace tk {

Variable layer_norm(const Variable& x, const Variable& gamma, const Variable& beta, double epsilon) {
  const LayerNormOutput out = layer_norm(x.value(), gamma.value(), beta.value(), epsilon);
  Node::Recipe again;
  if (!x.has_recipe()) {
    again = [x = Saved(x), gamma = Saved(gamma), beta = Saved(beta), epsilon] {
      return layer_norm(x.get(), gamma.get(), beta.get(), epsilon).y;
    };
  }
  return record(
      "layer_norm", {out.y, again}, {x, gamma, beta},
      [x = Saved(x), gamma = Saved(gamma), mean = out.mean, rstd = out.rstd](const Tensor& dy, Destinations& to) {
        const SumTarget dgamma = to.target_if_wanted(1), dbeta = to.target_if_wanted(2);
        const Tensor dx = layer_norm_backward(dy, x, mean, rstd, gamma, dgamma, dbeta);
        if (to.wanted(0)) to.add(0, dx);
      });
}

}  // namespace tk
