// A head that reads every row: what was let go on the way is forwarded from the layer that let it go.

#include "transkimmer/heads/token_head.h"

#include <cmath>

#include "autograd/ops/elementwise.h"
#include "autograd/ops/reduce.h"
#include "tensor/ops/elementwise.h"
#include "tensor/ops/reduce.h"
#include "tests/support/catch.h"
#include "tests/support/golden.h"
#include "tests/support/temporary_folder.h"
#include "tests/transkimmer/parts.h"
#include "tests/transkimmer/small_model.h"
#include "transkimmer/checkpoint.h"
#include "transkimmer/families/bert.h"

using namespace tk;
using namespace tk::test;

namespace {

Config token_config(const Skimming& gate) {
  Config config = small_config(gate);
  config.set_head(HeadKind::kToken);
  config.labels = {"O", "B", "I"};
  return config;
}

// Noise that decides whatever the gates' scores are: seven of ten pass.
std::vector<Tensor> deciding_noise(const Config& config, const Packed& rows) {
  const std::int64_t gates = traits(config.skim_gate).gates;
  const std::int64_t asked = rows.tokens - (config.skim_cls == SkimCls::kKept ? rows.sentences : 0);
  Generator generator(4, Purpose::kData);
  std::vector<Tensor> noise;
  for (std::int64_t i = 0; i < config.num_predictors(); ++i) {
    std::vector<float> values;
    for (std::int64_t k = 0; k < asked * gates; ++k) {
      values.push_back(generator.below(10) < 7 ? 100.f : -100.f);
    }
    noise.push_back(from_values(values, {asked, gates}));
  }
  return noise;
}

// The rows of `a` that `b` does not have; both ascend.
std::vector<std::int64_t> without(const Tensor& a, const Tensor& b) {
  std::vector<std::int64_t> rows;
  const std::vector<bool> in_a = a.to_vector<bool>(), in_b = b.to_vector<bool>();
  for (std::size_t i = 0; i < in_a.size(); ++i) {
    if (in_a[i] && !in_b[i]) rows.push_back(static_cast<std::int64_t>(i));
  }
  return rows;
}

}  // namespace

TEST_CASE("token head: logits of each token are the classifier's of transformers' last states") {
  const SafetensorsFile file = golden("bert_tiny");
  Config config = load_config(golden_path("bert_tiny_config"));
  config.set_head(HeadKind::kToken);
  BertClassifier model(config);
  const std::vector<NamedTensor> weights = named_values(model.parameters());
  CHECK(load_weights(golden_path("bert_tiny_config"), weights, kBert).missing.empty());
  const Packed rows = golden_packed(file);
  const Tensor logits = model({rows, file.tensor("ids"), file.tensor("token_types")}, {}).logits.value();
  Linear classifier(config.hidden_size, config.num_labels());
  classifier.weight.value().copy_from(weights[weights.size() - 2].tensor);
  classifier.bias.value().copy_from(weights.back().tensor);
  const Variable last(file.tensor("hidden").select(0, config.num_hidden_layers).contiguous());
  CHECK(logits.shape() == Shape{rows.tokens, 3});
  CHECK(largest_difference(logits, classifier(last).value()) < 1e-5);
}

TEST_CASE("token head: the masked training pass computes what dropping the rows computes, for every token") {
  for (const Skimming& gate : kSkimming) {
    for (const std::int64_t layers : {1, 2, 4}) {
      INFO(name(gate) << ", " << layers << " layers");
      Config config = token_config(gate);
      config.num_hidden_layers = layers;
      const auto model = mixing_model(config);
      const PackedTokens inputs = random_inputs(16, 1);
      const std::int64_t tokens = inputs.rows.tokens;
      const ClassifierOutput masked = (*model)(inputs, noiseless());
      const ClassifierOutput dropped = (*model)(inputs, {});
      CHECK(dropped.logits.shape() == Shape{tokens, 3});
      CHECK(dropped.encoder.rows.tokens == tokens);
      CHECK(largest_difference(masked.logits.value(), dropped.logits.value()) < 1e-5);
      const double share = counted_macs(config, count_rows(dropped.encoder.sets, inputs.rows), inputs.rows) /
                           dense_macs(config, inputs.rows);
      CHECK(masked.encoder.cost.item() == Approx(share).epsilon(1e-4));
      if (layers == 4) CHECK(share < 0.85);
      for (const std::int64_t step : {std::int64_t{1}, std::int64_t{8}, std::int64_t{1000}}) {
        const ClassifierOutput out = (*model)(with_dummies(inputs, 9), {}, {.row_step = step});
        CHECK(largest_difference(out.logits.value().narrow(0, 0, tokens), dropped.logits.value()) < 1e-5);
      }
    }
  }
}

TEST_CASE("token head: paper attention is evaluated under the masks of training") {
  for (const Skimming& gate : kSkimming) {
    Config config = token_config(gate);
    config.skim_attention = SkimAttention::kPaper;
    const auto model = mixing_model(config);
    const PackedTokens inputs = random_inputs(8, 5);
    const Tensor trained = (*model)(inputs, noiseless()).logits.value();
    CHECK(largest_difference((*model)(inputs, {}).logits.value(), trained) == 0);
  }
}

TEST_CASE("token head: a token that the published gate skims in layer i keeps that layer's input, to the bit") {
  const auto model = mixing_model(token_config(SkimGate::kLayer));
  const Parts parts(*model);
  const PackedTokens inputs = random_inputs(16, 1);
  const EncoderOutput masked = (*model)(inputs, noiseless()).encoder;
  const Tensor dropped = (*model)(inputs, {}).encoder.x.value();
  Variable x = parts.embeddings(inputs, {});
  Tensor before = full({inputs.rows.tokens}, 1, DType::kBool);
  std::int64_t forwarded = 0;
  for (std::size_t i = 0; i < parts.encoder.layers.size(); ++i) {
    const Variable keys = masked.masks[i].keys.detach();
    const Tensor kept = greater(keys.value(), 0.5);
    for (const std::int64_t row : without(before, kept)) {
      CHECK(largest_difference(dropped.select(0, row), x.value().select(0, row)) < 1e-5);
      if (i == 0) CHECK(largest_difference(dropped.select(0, row), x.value().select(0, row)) == 0);
      ++forwarded;
    }
    x = parts.encoder.layers[i](x, inputs.rows, nullptr, keys, {});
    // A state of another layer would be another result.
    for (const std::int64_t row : without(before, kept)) {
      CHECK(largest_difference(dropped.select(0, row), x.value().select(0, row)) > 0.1);
    }
    before = kept;
  }
  CHECK(forwarded > 50);
}

TEST_CASE("token head: a token that a staged layer lets go keeps what that layer gives it") {
  const auto model = biased_model(token_config(SkimGate::kStaged), {2, -0.5, 0.5});
  const Parts parts(*model);
  const PackedTokens inputs = random_inputs(16, 1);
  const std::vector<MaskVariables> masks = (*model)(inputs, noiseless()).encoder.masks;
  const Tensor dropped = (*model)(inputs, {}).encoder.x.value();
  const Tensor all = full({inputs.rows.tokens}, 1, DType::kBool);
  const auto rows_of = [&](const Variable& mask) { return mask.defined() ? greater(mask.value(), 0.5) : all; };
  Tensor x = parts.embeddings(inputs, {}).value().clone();
  std::int64_t updated_gone = 0, frozen_gone = 0;
  for (std::size_t i = 0; i + 1 < masks.size(); ++i) {
    const EncoderLayer& layer = parts.encoder.layers[i];
    const Variable keys = masks[i].keys.defined() ? masks[i].keys.detach() : Variable();
    const Variable y = layer.attention(Variable(x), inputs.rows, nullptr, keys, {});
    const Tensor normed = layer.feed_forward.norm(y).value();
    const Tensor fed = layer.feed_forward(y, inputs.rows, Variable(), {}).value();
    const std::vector<bool> updated = rows_of(masks[i].updated).to_vector<bool>();
    for (const std::int64_t row : without(rows_of(masks[i].keys), rows_of(masks[i + 1].keys))) {
      const bool was_updated = updated[static_cast<std::size_t>(row)];
      const Tensor expected = (was_updated ? normed : x).select(0, row);
      CHECK(largest_difference(dropped.select(0, row), expected) < 1e-5);
      CHECK(largest_difference(dropped.select(0, row), (was_updated ? x : normed).select(0, row)) > 0.1);
      ++(was_updated ? updated_gone : frozen_gone);
    }
    const std::vector<bool> is_fed = rows_of(masks[i].fed).to_vector<bool>();
    for (std::int64_t row = 0; row < inputs.rows.tokens; ++row) {
      const auto r = static_cast<std::size_t>(row);
      if (updated[r]) x.select(0, row).copy_from((is_fed[r] ? fed : normed).select(0, row));
    }
  }
  CHECK(updated_gone > 20);
  CHECK(frozen_gone > 5);
}

TEST_CASE("token head: a token alone in its sentence and among others gets the same logits") {
  for (const Skimming& gate : kDenseAndSkimming) {
    const auto model = mixing_model(token_config(gate));
    const PackedTokens inputs = random_inputs(12, 2);
    const Tensor together = (*model)(inputs, {}).logits.value();
    const std::vector<double> lengths = count_rows(inputs.rows.offsets);
    std::int64_t begin = 0;
    for (const double n : lengths) {
      const auto length = static_cast<std::int64_t>(n);
      const PackedTokens alone{make_packed({length}, {0}), inputs.input_ids.narrow(0, begin, length).clone(),
                               inputs.token_types.narrow(0, begin, length).clone()};
      CHECK(largest_difference((*model)(alone, {}).logits.value(), together.narrow(0, begin, length)) < 1e-5);
      begin += length;
    }
  }
}

// At a high temperature no gradient flows through the gates, and with such noise they stay as they are: what is left of
// the training pass is a smooth function of its weights.
TEST_CASE("token head: gradients through forwarded states equal finite differences") {
  for (const Skimming& gate : kDenseAndSkimming) {
    const auto model = mixing_model(token_config(gate));
    const PackedTokens inputs = random_inputs(6, 3);
    const Context context{.training = true, .state = make_step_state({.temperature = 1e9})};
    const Tensor direction = empty({inputs.rows.tokens, 3});
    init_normal(direction, 0, 1, 9, 1);
    const std::vector<Tensor> noise = deciding_noise(model->config(), inputs.rows);
    const auto loss = [&] { return mean((*model)(inputs, context, {.noise = &noise}).logits * Variable(direction)); };
    loss().backward();
    const std::vector<NamedTensor> gradients = named_gradients(model->parameters());
    const std::vector<NamedTensor> values = named_values(model->parameters());
    for (std::size_t i = 0; i < values.size(); ++i) {
      const std::string& name = values[i].name;
      if (name.find("predictor") != std::string::npos || name.find("embeddings.") != std::string::npos) continue;
      if (name.find("key.bias") != std::string::npos) continue;  // zero by mathematics
      INFO(tk::test::name(gate) << ' ' << name);
      // Along the gradient itself, where the difference is largest beside its rounding.
      const Tensor step = gradients[i].tensor.contiguous();
      const double norm = std::sqrt(tk::sum(mul(step, step)).item());
      REQUIRE(norm > 0);
      const Tensor before = values[i].tensor.clone();
      const auto at = [&](double distance) {
        values[i].tensor.copy_from(add(before, affine(step, distance / norm)));
        return loss().item();
      };
      constexpr double kStep = 2e-3;
      const double slope = (at(kStep) - at(-kStep)) / (2 * kStep);
      values[i].tensor.copy_from(before);
      CHECK(slope == Approx(norm).epsilon(0.02).margin(2e-4));
    }
  }
}

TEST_CASE("token head: a folder of one is loaded by its class, has no pooler, and computes the same") {
  const TemporaryFolder folder;
  for (const Skimming& gate : kDenseAndSkimming) {
    const auto model = mixing_model(token_config(gate));
    const std::vector<NamedTensor> weights = named_values(model->parameters());
    for (const NamedTensor& weight : weights) CHECK(weight.name.find("pooler") == std::string::npos);
    CHECK(count_elements(model->parameters()) == parameter_count(model->config()));
    const auto place = folder / name(gate);
    save_model_folder(place, model->config(), weights, {});
    const Config config = load_config(place);
    CHECK(config.architectures == std::vector<std::string>{"BertForTokenClassification"});
    CHECK(config.head() == HeadKind::kToken);
    BertClassifier again(config);
    const LoadReport report = load_weights(place, named_values(again.parameters()), kBert);
    CHECK(report.missing.empty());
    CHECK(report.unexpected.empty());
    const PackedTokens inputs = random_inputs(4, 6);
    CHECK(largest_difference(again(inputs, {}).logits.value(), (*model)(inputs, {}).logits.value()) == 0);
  }
}
