#include "transkimmer/skim_encoder.h"

#include "autograd/grad_mode.h"

namespace tk {

SkimEncoder::SkimEncoder(const Config& config) : config_(config), encoder_(config) {
  for (std::int64_t i = 0; i < config.num_predictors(); ++i) predictors.emplace_back(config);
}

void SkimEncoder::collect(ParameterList& list, const std::string& path) {
  encoder_.collect(list, path);
  for (std::size_t i = 0; i < predictors.size(); ++i) predictors[i].collect(list, concat(path, ".skim_predictors.", i));
}

EncoderOutput SkimEncoder::operator()(const Variable& x, const Packed& rows, const Context& context,
                                      const ForwardOptions& options) const {
  TK_CHECK(x.shape().rank() == 2 && x.shape()[0] == rows.tokens, "skim_encoder: expected ", rows.tokens, " rows, got ",
           x.shape());
  if (config_.skim_gate == SkimGate::kNone) return dense(x, rows, context, options);
  if (context.training || config_.skim_attention == SkimAttention::kPaper) {
    return config_.skim_gate == SkimGate::kLayer ? masked_layer_gate(x, rows, context, options)
                                                 : masked_staged_gate(x, rows, context, options);
  }
  TK_CHECK(!options.keep_shares || options.keep_shares->size() == encoder_.layers.size(),
           "skim_keep: expected a share for each of ", encoder_.layers.size(), " layers, got ",
           options.keep_shares ? options.keep_shares->size() : 0);
  const NoGrad no_grad;  // dropping is a decision of evaluation: no gradient reaches a gate
  return config_.skim_gate == SkimGate::kLayer ? dropped_layer_gate(x, rows, context, options)
                                               : dropped_staged_gate(x, rows, context, options);
}

EncoderOutput SkimEncoder::dense(Variable x, const Packed& rows, const Context& context,
                                 const ForwardOptions& options) const {
  EncoderOutput out;
  const Kept first = first_rows(rows);
  for (std::size_t i = 0; i < encoder_.layers.size(); ++i) {
    const bool only_first = i + 1 == encoder_.layers.size() && options.reads == HeadReads::kFirstRows;
    x = encoder_.layers[i](x, rows, only_first ? &first : nullptr, Variable(), context);
    const Packed& computed = only_first ? first.packed : rows;
    out.layers.push_back({.keys = rows, .updated = computed, .fed = computed, .predicted = {}});
    out.rows = computed;
  }
  out.x = x;
  return out;
}

}  // namespace tk
