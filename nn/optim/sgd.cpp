#include "nn/optim/sgd.h"

#include "tensor/ops/optim.h"

namespace tk {

Sgd::Sgd(const ParameterList& list, double momentum, DType compute_dtype)
    : Optimizer("sgd", list, compute_dtype), momentum_(momentum), buffer_(keep_flat("momentum_buffer")) {}

Sgd::Sgd(const ParameterList& list, const Rates& rates, double momentum) : Sgd(list, momentum) { set_rates(rates); }

void Sgd::update(const Gradients& gradients, const Tensor& state) {
  const FlatParameters& flat = parameters();
  sgd(flat.value, gradients.dense, buffer_, flat.segments, state, momentum_);
  for (std::size_t i = 0; i < flat.sparse.size(); ++i) {
    const SparseParameter& entry = flat.sparse[i];
    sgd_rows(entry.parameter->value(), gradients.sparse[i], entry.group.index, state);
  }
  if (flat.copy.defined()) flat.copy.copy_from(flat.value);
}

}  // namespace tk
