#include "transkimmer/skim/predictor.h"

#include "autograd/grad_mode.h"
#include "autograd/ops/predictor_head.h"
#include "tensor/ops/gate_scores.h"

namespace tk {

namespace {

constexpr double kEpsilon = 1e-5;  // of the predictor's layer norms

}  // namespace

SkimPredictor::SkimPredictor(const Config& config)
    : hidden(config.hidden_size, config.skim_width, true, weight_init(config)),
      output(config.skim_width, traits(config.skim_gate).outputs, true, Init::kZeros),
      input_norm_(config.hidden_size, kEpsilon),
      hidden_norm_(config.skim_width, kEpsilon) {}

Variable SkimPredictor::operator()(const Variable& h) const {
  const Shape& shape = hidden.weight.value().shape();  // [width, hidden]
  if (!grad_enabled() && has_gate_scores(h.device(), h.dtype(), shape[1], shape[0])) {
    return Variable(gate_scores(h.value(), weights(h.dtype())));
  }
  if (const PackedMatrix w = hidden.packed(h); w.defined()) return Variable(gate_scores(h.value(), w, parameters()));
  return predictor_head(hidden(input_norm_(h)), hidden_norm_.weight, hidden_norm_.bias, output.weight, output.bias,
                        kEpsilon);
}

PredictorWeights SkimPredictor::weights(DType dtype) const {
  PredictorWeights all = parameters();
  all.w = hidden.weight.as(dtype).value();
  all.b = hidden.bias.value();
  return all;
}

PredictorWeights SkimPredictor::parameters() const {
  return {.input_gamma = input_norm_.weight.value(),
          .input_beta = input_norm_.bias.value(),
          .w = {},
          .b = {},
          .hidden_gamma = hidden_norm_.weight.value(),
          .hidden_beta = hidden_norm_.bias.value(),
          .output_w = output.weight.value(),
          .output_b = output.bias.value(),
          .epsilon = kEpsilon};
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
