#include "transkimmer/bert_encoder.h"

namespace tk {

BertEncoder::BertEncoder(const Config& config) {
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
                                         .layer = layer},
                        FeedForwardOptions{.hidden = config.hidden_size,
                                           .intermediate = config.intermediate_size,
                                           .layer_norm_epsilon = config.layer_norm_eps,
                                           .hidden_dropout = config.hidden_dropout_prob,
                                           .layer = layer});
  }
}

void BertEncoder::collect(ParameterList& list, const std::string& path) {
  for (std::size_t i = 0; i < layers.size(); ++i) layers[i].collect(list, concat(path, ".layer.", i));
}

}  // namespace tk
