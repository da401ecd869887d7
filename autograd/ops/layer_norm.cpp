#include "autograd/ops/layer_norm.h"

#include "tensor/ops/layer_norm.h"

namespace tk {

Variable layer_norm(const Variable& x, const Variable& gamma, const Variable& beta, double epsilon) {
  enum : std::size_t { kX, kGamma, kBeta };
  const LayerNormOutput out = layer_norm(x.value(), gamma.value(), beta.value(), epsilon);
  Node::Recipe again;
  if (!x.has_recipe()) {
    again = [x = Saved(x), gamma = Saved(gamma), beta = Saved(beta), epsilon] {
      return layer_norm(x.get(), gamma.get(), beta.get(), epsilon).y;
    };
  }
  return record(
      "layer_norm", {out.y, again}, {{kX, x}, {kGamma, gamma}, {kBeta, beta}},
      [x = Saved(x), gamma = Saved(gamma), mean = out.mean, rstd = out.rstd](const Tensor& dy, Destinations& to) {
        const SumTarget dgamma = to.target_beside(kGamma), dbeta = to.target_beside(kBeta);
        to.add_if_wanted(kX, layer_norm_backward(dy, x, mean, rstd, gamma, dgamma, dbeta));
      });
}

}  // namespace tk
