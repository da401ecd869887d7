#include "transkimmer/skim/decisions.h"

#include "autograd/estimators/gumbel_softmax.h"
#include "autograd/ops/index.h"
#include "autograd/ops/shape.h"
#include "autograd/ops/to.h"
#include "tensor/ops/gate.h"

namespace tk {

Decisions::Decisions(const Packed& rows, const GateTraits& gate)
    : rows_(rows), rest_(all_but_first_rows(rows)), gates_(gate.gates) {}

Variables Decisions::operator()(const SkimPredictor& predictor, const Variable& x, std::size_t layer,
                                const Context& context, const Tensor* noise) const {
  if (context.training) return sample(predictor, x, layer, context, noise);
  const Tensor z = predictor(x).value();
  Variables columns;
  for (std::int64_t k = 0; k < gates_; ++k) {
    columns.emplace_back(passing_rows(z.select(1, k), context.state, rows_.offsets).to(DType::kFloat32));
  }
  return columns;
}

Variables Decisions::sample(const SkimPredictor& predictor, const Variable& x, std::size_t layer,
                            const Context& context, const Tensor* noise) const {
  const Variable z = to(predictor(index_select(x, rest_.rows)), DType::kFloat32);
  const DropoutKey key{.p = 0,
                       .state = context.state,
                       .example = rest_.packed.example,
                       .position = rest_.packed.position,
                       .stream = {Purpose::kGate, static_cast<std::uint8_t>(layer)}};
  const Variable hard =
      gumbel_gate(z, noise != nullptr ? *noise : logistic_noise(key, gates_, z.dtype()), context.state);
  const Variable passing(full({rows_.tokens, gates_}, 1, z.dtype(), z.device()));
  const Variable all = index_copy(passing, rest_.rows, hard);
  Variables columns;
  for (std::int64_t k = 0; k < gates_; ++k) columns.push_back(reshape(narrow(all, 1, k, 1), {rows_.tokens}));
  return columns;
}

}  // namespace tk
