#pragma once

#include <memory>

#include "tensor/ops/join.h"
#include "tensor/random.h"
#include "tensor/step_state.h"
#include "tests/transkimmer/mixing_gates.h"
#include "tests/transkimmer/skimming.h"

namespace tk::test {

/// A model small enough for any test, without dropout.
inline Config small_config(const Skimming& skimming) {
  Config config;
  config.vocab_size = 200;
  config.hidden_size = 32;
  config.num_hidden_layers = 4;
  config.num_attention_heads = 4;
  config.intermediate_size = 64;
  config.max_position_embeddings = 64;
  config.initializer_range = 0.2;
  config.hidden_dropout_prob = config.attention_probs_dropout_prob = 0;
  set_skimming(config, skimming);
  return config;
}

inline std::unique_ptr<BertClassifier> mixing_model(const Config& config) {
  auto model = std::make_unique<BertClassifier>(config);
  initialize_with_mixing_gates(*model);
  return model;
}

/// The same where the last biases of every predictor push each gate a way.
inline std::unique_ptr<BertClassifier> biased_model(const Config& config, const std::vector<float>& biases) {
  auto model = mixing_model(config);
  for (const NamedTensor& weight : named_values(model->parameters())) {
    if (weight.name.ends_with("predictor.4.bias")) weight.tensor.copy_from(from_values(biases));
  }
  return model;
}

/// Sentences of 1 to 30 tokens.
inline PackedTokens random_inputs(std::int64_t sentences, std::uint64_t seed) {
  Generator generator(seed, Purpose::kData);
  std::vector<std::int64_t> lengths;
  std::vector<std::int32_t> examples, ids, types;
  for (std::int64_t s = 0; s < sentences; ++s) {
    lengths.push_back(1 + generator.below(30));
    examples.push_back(static_cast<std::int32_t>(100 + s));
    for (std::int64_t i = 0; i < lengths.back(); ++i) {
      ids.push_back(i == 0 ? 101 : static_cast<std::int32_t>(1 + generator.below(199)));
      types.push_back(i * 2 > lengths.back());
    }
  }
  return {make_packed(lengths, examples), from_values(ids), from_values(types)};
}

/// Sentence s of them, alone.
inline PackedTokens one_sentence(const PackedTokens& batch, std::int64_t s) {
  const auto* offsets = batch.rows.offsets.data<std::int32_t>();
  const std::int64_t begin = offsets[s];
  const std::int64_t length = offsets[s + 1] - begin;
  return {make_packed({length}, {static_cast<std::int32_t>(100 + s)}), batch.input_ids.narrow(0, begin, length).clone(),
          batch.token_types.narrow(0, begin, length).clone()};
}

/// The same with rows at the end that belong to no sentence.
inline PackedTokens with_dummies(PackedTokens inputs, std::int64_t dummies) {
  const Tensor none = zeros({dummies}, DType::kInt32);
  inputs.rows.tokens += dummies;
  for (Tensor* ids : {&inputs.rows.example, &inputs.rows.position, &inputs.input_ids, &inputs.token_types}) {
    *ids = join(Tensors{*ids, none});
  }
  return inputs;
}

/// Training with the gates that evaluation has: no noise, and no dropout in such models.
inline Context noiseless() { return {.training = true, .state = make_step_state({.gate_noise = 0})}; }

}  // namespace tk::test
