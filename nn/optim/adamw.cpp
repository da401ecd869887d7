#include "nn/optim/adamw.h"

namespace tk {

AdamW::AdamW(const ParameterList& list, const AdamWConstants& constants, DType compute_dtype, Shards shards)
    : Optimizer("adamw", list, compute_dtype, shards),
      constants_(constants),
      m_(keep_flat("exp_avg")),
      v_(keep_flat("exp_avg_sq")) {
  for (std::size_t i = 0; i < parameters().sparse.size(); ++i) {
    const Tensor& value = parameters().sparse[i].parameter->value();
    rows_.push_back({keep_rows(i, "exp_avg", zeros_like(value)), keep_rows(i, "exp_avg_sq", zeros_like(value)),
                     keep_rows(i, "touched", zeros({value.shape()[0]}, DType::kBool, value.device()))});
  }
}

AdamW::AdamW(const ParameterList& list, const Rates& rates, const AdamWConstants& constants) : AdamW(list, constants) {
  set_rates(rates);
}

void AdamW::update(const Gradients& gradients, const Tensor& state) {
  const FlatParameters& flat = parameters();
  adamw(own(flat.value), own(gradients.dense), m_, v_, own(flat.copy), own_segments(), state, constants_);
  for (std::size_t i = 0; i < rows_.size(); ++i) {
    const SparseParameter& entry = flat.sparse[i];
    adamw_rows(entry.parameter->value(), rows_[i].m, rows_[i].v, rows_[i].touched, gradients.sparse[i], entry.group,
               state, constants_);
  }
}

}  // namespace tk
