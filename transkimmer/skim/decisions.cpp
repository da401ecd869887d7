#include "transkimmer/skim/decisions.h"

#include "autograd/estimators/estimators.h"
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
                                const Context& context, const ForwardOptions& options) const {
  if (context.training) return sample(predictor, x, layer, context, options);
  const Tensor z = predictor(x).value();
  Variables columns;
  for (std::int64_t k = 0; k < gates_; ++k) {
    const Tensor passing = passing_rows(z.select(1, k), context.state, rows_.offsets, first_rows_pass(cls_, k));
    columns.emplace_back(passing.to(DType::kFloat32));
  }
  return columns;
}

// Samples of the rows that the predictor is asked for, [rows, gates].
Variable Decisions::draw(const SkimPredictor& predictor, const Variable& x, std::size_t layer, const Context& context,
                         const ForwardOptions& options) const {
  const Variable score = to(predictor(!asked_.rows.defined() ? x : index_select(x, asked_.rows)), DType::kFloat32);
  if (options.scores != nullptr) options.scores->push_back(score.value());
  const Variable z = options.above_threshold ? gate_margin(score, context.state) : score;
  const Draws draws{.state = context.state,
                    .example = asked_.packed.example,
                    .position = asked_.packed.position,
                    .purpose = Purpose::kGate,
                    .layer = static_cast<std::int64_t>(layer)};
  const Tensor noise = options.noise != nullptr ? (*options.noise)[layer] : logistic_noise(draws.key(0), gates_);
  const ChosenEstimator* const chosen = options.estimator;
  return chosen != nullptr ? chosen->estimator->gates(z, noise, draws, chosen->options)
                           : gumbel_gate(z, noise, context.state);
}

Variables Decisions::sample(const SkimPredictor& predictor, const Variable& x, std::size_t layer,
                            const Context& context, const ForwardOptions& options) const {
  const bool asks_all = !asked_.rows.defined();
  const Variable hard =
      options.gates != nullptr ? (*options.gates)[layer] : draw(predictor, x, layer, context, options);
  const auto passing = [&](const Shape& shape) { return Variable(full(shape, 1, hard.dtype(), hard.device())); };
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
