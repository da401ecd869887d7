#include "transkimmer/skim/decisions.h"

#include "autograd/estimators/estimators.h"
#include "autograd/estimators/gumbel_softmax.h"
#include "autograd/ops/index.h"
#include "autograd/ops/join.h"
#include "autograd/ops/to.h"
#include "tensor/ops/gate.h"

namespace tk {

Decisions::Decisions(const Packed& rows, const Config& config)
    : rows_(rows),
      cls_(config.skim_cls),
      asked_(cls_ == SkimCls::kFree ? Kept{Tensor(), rows} : all_but_first_rows(rows)),
      gates_(traits(config.skim_gate).gates) {}

GateAnswers Decisions::operator()(const SkimPredictor& predictor, const Variable& x, std::size_t layer,
                                  const Context& context, const ForwardOptions& options) const {
  FirstRowRule first{.asked = !context.training || !asked_.rows.defined(), .passing = 0};
  for (std::int64_t k = 0; k < gates_; ++k) first.passing |= first_rows_pass(cls_, k) ? 1u << k : 0u;
  if (!context.training) return {passing(predictor, x, context.state), first};
  return {options.gates != nullptr ? (*options.gates)[layer] : draw(predictor, x, layer, context, options), first};
}

Variable Decisions::passing(const SkimPredictor& predictor, const Variable& x, const Tensor& state) const {
  const Tensor z = predictor(x).value();
  Variables columns;
  for (std::int64_t k = 0; k < gates_; ++k) {
    const Tensor column = passing_rows(z.select(1, k), state, rows_.offsets, first_rows_pass(cls_, k));
    columns.emplace_back(column.to(DType::kFloat32));
  }
  return stack(columns, 1);
}

// Samples of the rows that the predictor is asked for, [rows, gates].
Variable Decisions::draw(const SkimPredictor& predictor, const Variable& x, std::size_t layer, const Context& context,
                         const ForwardOptions& options) const {
  const Variable score = to(predictor(!asked_.rows.defined() ? x : take_rows(x, asked_.rows)), DType::kFloat32);
  if (options.scores != nullptr) options.scores->push_back(score.value());
  const Variable z = options.above_threshold ? gate_margin(score, context.state) : score;
  const Draws draws{.state = context.state,
                    .example = asked_.packed.example,
                    .position = asked_.packed.position,
                    .purpose = Purpose::kGate,
                    .layer = static_cast<std::int64_t>(layer)};
  const Tensor noise = options.noise != nullptr ? (*options.noise)[layer] : Tensor();
  if (const ChosenEstimator* const chosen = options.estimator) {
    return chosen->estimator->gates(z, noise, draws, chosen->options);
  }
  return noise.defined() ? gumbel_gate(z, noise, context.state) : gumbel_gate(z, draws.key(0));
}

}  // namespace tk
