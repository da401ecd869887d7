#include "nn/optim/sgd.h"

#include "nn/optim/clip_grad.h"
#include "tensor/ops/optim.h"

namespace tk {

Sgd::Sgd(const ParameterList& parameters, double momentum)
    : parameters_(parameters), momentum_(momentum), buffer_(zeros_like(parameters_.value)) {}

void Sgd::step(const Tensor& state) {
  const std::vector<SparseRows> sparse = parameters_.coalesced();
  grad_norm(parameters_, sparse, state);
  sgd(parameters_.value, parameters_.grad, buffer_, parameters_.segments, state, momentum_);
  for (std::size_t i = 0; i < sparse.size(); ++i) {
    const SparseParameter& entry = parameters_.sparse[i];
    sgd_rows(entry.parameter->value(), sparse[i], entry.group, state);
  }
  parameters_.clear_gradients(true);
}

}  // namespace tk
