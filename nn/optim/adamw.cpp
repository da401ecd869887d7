#include "nn/optim/adamw.h"

#include "nn/optim/clip_grad.h"

namespace tk {

AdamW::AdamW(const ParameterList& parameters, const AdamWConstants& constants, DType compute_dtype)
    : parameters_(parameters, compute_dtype),
      constants_(constants),
      m_(zeros_like(parameters_.value)),
      v_(zeros_like(parameters_.value)) {
  for (const SparseParameter& entry : parameters_.sparse) {
    const Tensor& value = entry.parameter->value();
    rows_.push_back({zeros_like(value), zeros_like(value), zeros({value.shape()[0]}, DType::kBool, value.device())});
  }
}

void AdamW::step(const Tensor& state) {
  const std::vector<SparseRows> sparse = parameters_.coalesced();
  grad_norm(parameters_, sparse, state);
  adamw(parameters_.value, parameters_.grad, m_, v_, parameters_.copy, parameters_.segments, state, constants_);
  for (std::size_t i = 0; i < sparse.size(); ++i) {
    const SparseParameter& entry = parameters_.sparse[i];
    adamw_rows(entry.parameter->value(), rows_[i].m, rows_[i].v, rows_[i].touched, sparse[i], entry.group, state,
               constants_);
  }
  parameters_.clear_gradients(true);
  parameters_.copy_is_fresh();
}

std::vector<NamedTensor> AdamW::state_tensors() const {
  std::vector<NamedTensor> tensors = {{"m", m_}, {"v", v_}};
  for (std::size_t i = 0; i < rows_.size(); ++i) {
    const std::string prefix = concat("rows.", i, ".");
    tensors.push_back({prefix + "m", rows_[i].m});
    tensors.push_back({prefix + "v", rows_[i].v});
    tensors.push_back({prefix + "touched", rows_[i].touched});
  }
  return tensors;
}

}  // namespace tk
