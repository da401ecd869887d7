#include "transkimmer/training/keep_probabilities.h"

#include <algorithm>

#include "autograd/grad_mode.h"
#include "data/batch.h"
#include "data/data_loader.h"
#include "tensor/scalar_math.h"
#include "tensor/step_state.h"
#include "transkimmer/classifier.h"

namespace tk {

void ProbabilityHistogram::add(double probability) {
  const auto bucket = static_cast<std::size_t>(probability * static_cast<double>(kBuckets));
  ++counts[std::min(bucket, kBuckets - 1)];
  ++count;
  least = std::min(least, probability);
  largest = std::max(largest, probability);
  sum += probability;
  sum_of_squares += probability * probability;
}

namespace {

// The gates of a predictor of the layer: the published one keeps rows of its own, the staged ones feed these and say
// what the next layer has.
std::vector<GateProbabilities> gates_of(const GateTraits& gate, std::int64_t layer) {
  if (gate.decides == GatePlace::kBeforeAttention) return {{GateSet::kKeys, layer}};
  return {{GateSet::kKeys, layer + 1}, {GateSet::kUpdated, layer + 1}, {GateSet::kFed, layer}};
}

// Rows of the batch that predictors are asked for, in their order.
std::vector<std::size_t> asked_rows(const Packed& rows, SkimCls cls) {
  const std::vector<std::int32_t> offsets = rows.offsets.to_vector<std::int32_t>();
  std::vector<std::size_t> asked;
  for (std::size_t sentence = 0; sentence + 1 < offsets.size(); ++sentence) {
    const std::int32_t first = offsets[sentence] + (cls == SkimCls::kFree ? 0 : 1);
    for (std::int32_t row = first; row < offsets[sentence + 1]; ++row) asked.push_back(static_cast<std::size_t>(row));
  }
  return asked;
}

// Which rows come to a layer's predictor; empty: all.
std::vector<float> present_rows(const EncoderOutput& out, const GateTraits& gate, std::size_t layer) {
  const bool decides_first = gate.decides == GatePlace::kBeforeAttention;
  if (decides_first && layer == 0) return {};
  const Variable& keys = out.masks[decides_first ? layer - 1 : layer].keys;
  return keys.defined() ? keys.value().to(DType::kFloat32).to_vector<float>() : std::vector<float>();
}

}  // namespace

std::vector<GateProbabilities> keep_probabilities(const BertClassifier& model,
                                                  std::span<const TokenizedExample> examples) {
  const Config& config = model.config();
  const GateTraits& gate = traits(config.skim_gate);
  const auto predictors = static_cast<std::size_t>(config.num_predictors());
  std::vector<GateProbabilities> all;
  for (std::size_t layer = 0; layer < predictors; ++layer) {
    for (const GateProbabilities& one : gates_of(gate, static_cast<std::int64_t>(layer))) all.push_back(one);
  }
  if (all.empty()) return all;
  const NoGrad no_grad;
  const Tensor state = make_step_state({.step = 1}, model.device());
  const auto batches = epoch_batches(lengths_of(examples), {.order = BatchOrder::kLongestFirst}, 0);
  for (const std::vector<std::int64_t>& indices : batches) {
    const Batch batch = make_batch(examples, indices, TaskKind::kClassification);
    const std::vector<std::size_t> asked = asked_rows(batch.tokens.rows, config.skim_cls);
    const auto rows = static_cast<std::int64_t>(asked.size());
    // In place of noise what makes z + noise > 0 evaluation's z > threshold.
    const std::vector<Tensor> noise(predictors,
                                    full({rows, gate.gates}, -config.skim_threshold, DType::kFloat32, model.device()));
    std::vector<Tensor> scores;
    const EncoderOutput out =
        model(to(batch, model.device()).tokens, {.training = true, .state = state, .dropout_rate = 0},
              {.noise = &noise, .scores = &scores})
            .encoder;
    for (std::size_t layer = 0; layer < predictors; ++layer) {
      const std::vector<float> z = scores[layer].to_vector<float>();
      const std::vector<float> present = present_rows(out, gate, layer);
      const auto gates = static_cast<std::size_t>(gate.gates);
      for (std::size_t i = 0; i < asked.size(); ++i) {
        if (!present.empty() && present[asked[i]] == 0) continue;
        for (std::size_t k = 0; k < gates; ++k) {
          all[layer * gates + k].histogram.add(math::sigmoid(double{z[i * gates + k]}));
        }
      }
    }
  }
  return all;
}

}  // namespace tk
