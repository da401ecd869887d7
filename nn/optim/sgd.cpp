#include "nn/optim/sgd.h"

#include "nn/optim/clip_grad.h"
#include "tensor/ops/optim.h"

namespace tk {

Sgd::Sgd(const ParameterList& parameters, double momentum, DType compute_dtype)
    : parameters_(parameters, compute_dtype), momentum_(momentum), buffer_(zeros_like(parameters_.value)) {}

void Sgd::step(const Tensor& state) {
  const std::vector<SparseRows> sparse = parameters_.coalesced();
  grad_norm(parameters_, sparse, state);
  sgd(parameters_.value, parameters_.grad, buffer_, parameters_.segments, state, momentum_);
  for (std::size_t i = 0; i < sparse.size(); ++i) {
    const SparseParameter& entry = parameters_.sparse[i];
    sgd_rows(entry.parameter->value(), sparse[i], entry.group, state);
  }
  parameters_.clear_gradients(true);
  if (parameters_.copy.defined()) parameters_.copy.copy_from(parameters_.value);
  parameters_.copy_is_fresh();
}

}  // namespace tk
