#include "transkimmer/skim/decisions.h"

#include "autograd/estimators/gumbel_softmax.h"
#include "autograd/ops/index.h"
#include "autograd/ops/shape.h"
#include "autograd/ops/to.h"
#include "tensor/ops/gate.h"

namespace tk {

Decisions::Decisions(const Packed& rows, const Config& config)
    : rows_(rows),
      cls_(config.skim_cls),
      asked_(cls_ == SkimCls::kFree ? Kept{Tensor(), rows} : all_but_first_rows(rows)),
      gates_(traits(config.skim_gate).gates) {}

Variables Decisions::operator()(const SkimPredictor& predictor, const Variable& x, std::size_t layer,
                                const Context& context, const Tensor* noise) const {
  if (context.training) return sample(predictor, x, layer, context, noise);
  const Tensor z = predictor(x).value();
  Variables columns;
  for (std::int64_t k = 0; k < gates_; ++k) {
    const Tensor passing = passing_rows(z.select(1, k), context.state, rows_.offsets, first_rows_pass(cls_, k));
    columns.emplace_back(passing.to(DType::kFloat32));
  }
  return columns;
}

Variables Decisions::sample(const SkimPredictor& predictor, const Variable& x, std::size_t layer,
                            const Context& context, const Tensor* noise) const {
  const bool asks_all = !asked_.rows.defined();
  const Variable z = to(predictor(asks_all ? x : index_select(x, asked_.rows)), DType::kFloat32);
  const DropoutKey key{.p = 0,
                       .state = context.state,
                       .example = asked_.packed.example,
                       .position = asked_.packed.position,
                       .stream = {Purpose::kGate, static_cast<std::uint8_t>(layer)}};
  const Variable hard =
      gumbel_gate(z, noise != nullptr ? *noise : logistic_noise(key, gates_, z.dtype()), context.state);
  const auto passing = [&](const Shape& shape) { return Variable(full(shape, 1, z.dtype(), z.device())); };
  const Variable all = asks_all ? hard : index_copy(passing({rows_.tokens, gates_}), asked_.rows, hard);
  Variables columns;
  for (std::int64_t k = 0; k < gates_; ++k) {
    const Variable column = reshape(narrow(all, 1, k, 1), {rows_.tokens});
    const bool settled = asks_all && first_rows_pass(cls_, k);  // asked for, whatever the answer
    columns.push_back(settled ? index_copy(column, first_rows(), passing({rows_.sentences})) : column);
  }
  return columns;
}

}  // namespace tk
