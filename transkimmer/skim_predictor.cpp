#include "transkimmer/skim_predictor.h"

#include "autograd/grad_mode.h"
#include "autograd/ops/elementwise.h"
#include "autograd/ops/shape.h"
#include "tensor/ops/gate_scores.h"

namespace tk {

namespace {

constexpr double kEpsilon = 1e-5;  // of the predictor's layer norms

}  // namespace

SkimPredictor::SkimPredictor(const Config& config)
    : hidden(config.hidden_size, config.skim_width),
      output(config.skim_width, config.predictor_outputs()),
      input_norm_(config.hidden_size, kEpsilon),
      hidden_norm_(config.skim_width, kEpsilon) {}

Variable SkimPredictor::operator()(const Variable& h) const {
  const Variable inner = hidden(input_norm_(h));
  if (!grad_enabled() && has_gate_scores(h.device(), inner.shape()[1])) {
    return Variable(gate_scores(inner.value(), hidden_norm_.weight.value(), hidden_norm_.bias.value(), kEpsilon,
                                output.weight.value(), output.bias.value()));
  }
  const Variable s = output(gelu(hidden_norm_(inner)));
  if (output.bias.value().numel() != 2) return s;
  return narrow(s, 1, 1, 1) - narrow(s, 1, 0, 1);
}

void SkimPredictor::collect(ParameterList& list, const std::string& path) {
  const std::size_t first = list.size();
  input_norm_.collect(list, path + ".predictor.0");
  hidden.collect(list, path + ".predictor.1");
  hidden_norm_.collect(list, path + ".predictor.2");
  output.collect(list, path + ".predictor.4");
  for (std::size_t i = first; i < list.size(); ++i) list[i].parameter->set_group(ParameterGroup::kPredictor);
}

}  // namespace tk
