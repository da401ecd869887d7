#include "nn/optim/sgd.h"

#include "nn/optim/clip_grad.h"
#include "tensor/ops/elementwise.h"
#include "tensor/ops/optim.h"

namespace tk {

Sgd::Sgd(const ParameterList& parameters, double momentum)
    : parameters_(parameters), momentum_(momentum), buffer_(zeros_like(parameters_.value)) {}

void Sgd::step(const Tensor& state) {
  const std::vector<SparseRows> sparse = parameters_.coalesced();
  StepState& now = step_state(state);
  now.grad_norm = grad_norm(parameters_, sparse);
  sgd(parameters_.value, parameters_.grad, buffer_, parameters_.segments, state, momentum_);
  for (std::size_t i = 0; i < sparse.size(); ++i) {
    const SparseParameter& entry = parameters_.sparse[i];
    const double rate = now.clip_factor() * now.learning_rate[entry.group];
    index_add_to(entry.parameter->value(), affine(sparse[i].rows, -rate), sparse[i].ids);
  }
  parameters_.clear_gradients(true);
}

}  // namespace tk
