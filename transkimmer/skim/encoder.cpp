#include "transkimmer/skim/encoder.h"

#include "autograd/grad_mode.h"
#include "tensor/ops/counted_rows.h"
#include "transkimmer/families/family.h"
#include "transkimmer/skim/row_sets.h"

namespace tk {

SkimEncoder::SkimEncoder(const Config& config) : config_(config) {
  const KeyWeighting weighting =
      config.skim_attention == SkimAttention::kPaper ? KeyWeighting::kPaper : KeyWeighting::kExact;
  for (std::int64_t i = 0; i < config.num_hidden_layers; ++i) {
    const auto layer = static_cast<std::uint8_t>(i);
    layers.emplace_back(AttentionOptions{.hidden = config.hidden_size,
                                         .heads = config.num_attention_heads,
                                         .layer_norm_epsilon = config.layer_norm_eps,
                                         .attention_dropout = config.attention_probs_dropout_prob,
                                         .hidden_dropout = config.hidden_dropout_prob,
                                         .weighting = weighting,
                                         .layer = layer,
                                         .init = weight_init(config)},
                        FeedForwardOptions{.hidden = config.hidden_size,
                                           .intermediate = config.intermediate_size,
                                           .activation = config.hidden_act,
                                           .layer_norm_epsilon = config.layer_norm_eps,
                                           .hidden_dropout = config.hidden_dropout_prob,
                                           .layer = layer,
                                           .init = weight_init(config)});
  }
  for (std::int64_t i = 0; i < config.num_predictors(); ++i) predictors.emplace_back(config);
}

void SkimEncoder::collect(ParameterList& list, const WeightNames& names) {
  for (std::size_t i = 0; i < layers.size(); ++i) layers[i].collect(list, concat(names.layers, i), names.parts);
  for (std::size_t i = 0; i < predictors.size(); ++i) predictors[i].collect(list, concat(names.predictors, i));
}

EncoderOutput SkimEncoder::operator()(const Variable& x, const Packed& rows, const Context& context,
                                      const ForwardOptions& options) const {
  TK_CHECK(x.shape().rank() == 2 && x.shape()[0] == rows.tokens, "skim_encoder: expected ", rows.tokens, " rows, got ",
           x.shape());
  const PassInputs in{config_, layers, predictors, rows, context, options};
  const bool has_gates = config_.skim_gate != SkimGate::kNone;
  const bool drops = has_gates && !context.training && config_.skim_attention != SkimAttention::kPaper;
  TK_CHECK(!options.keep_shares || drops,
           "skim_encoder: keep_shares are of a pass that drops rows, and this one does not");
  TK_CHECK(!options.keep_shares || options.keep_shares->size() == layers.size(),
           "skim_encoder: expected keep_shares of each of ", layers.size(), " layers, got ",
           options.keep_shares ? options.keep_shares->size() : 0);
  if (!has_gates) return run(*all_rows(x, in));
  TK_CHECK(context.state.defined(), "skim_encoder: expected a step state, of which gates read the threshold");
  if (!drops) return run(*masked_rows(x, in));
  const NoGrad no_grad;  // dropping is a decision of evaluation: no gradient reaches a gate
  const bool counts = options.row_step == 0 && rows.tokens <= kMostCountedRows &&
                      can_count_rows(config_, options.reads, x.device(), x.dtype());
  return run(*(counts ? counted_rows(x, in) : dropped_rows(x, in)));
}

EncoderOutput SkimEncoder::run(RowSets& sets) const {
  const GatePlace place = traits(config_.skim_gate).decides;
  const auto decide = [&](GatePlace here, std::size_t layer) {
    if (place == here && layer < predictors.size()) sets.decide(layer);
  };
  decide(GatePlace::kBeforeAttention, 0);
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const bool feeds_apart = place == GatePlace::kAfterAttention && i < predictors.size();  // F is not U
    const auto feed = [&] {
      sets.feed(i);
      decide(GatePlace::kBeforeAttention, i + 1);
    };
    sets.on_keys(i, [&] {
      sets.attend(i);
      decide(GatePlace::kAfterAttention, i);
      if (!feeds_apart) feed();
    });
    if (feeds_apart) sets.on_fed(i, feed);
  }
  return sets.output();
}

}  // namespace tk
