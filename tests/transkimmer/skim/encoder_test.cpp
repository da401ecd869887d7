// What skimming must show (the end of the model's description): masks equal dropping, sentences do not depend on each
// other, evaluation is deterministic, and a model that keeps everything is BERT.

#include <algorithm>

#include "autograd/ops/elementwise.h"
#include "nn/loss.h"
#include "nn/optim/adamw.h"
#include "tensor/threads.h"
#include "tests/support/catch.h"
#include "tests/support/golden.h"
#include "tests/transkimmer/small_model.h"
#include "transkimmer/checkpoint.h"
#include "transkimmer/classifier.h"
#include "transkimmer/families/bert.h"

using namespace tk;
using namespace tk::test;

namespace {

double macs(const Config& config, const ClassifierOutput& out, const PackedTokens& inputs) {
  return counted_macs(config, count_rows(out.encoder.sets, inputs.rows), inputs.rows);
}

}  // namespace

TEST_CASE("model: weights that are drawn by name get the numbers of the whole, and the others keep theirs") {
  const std::vector<std::string> names = {"bert.encoder.layer.1.attention.self.key.weight",
                                          "bert.encoder.skim_predictors.1.predictor.4.bias", "classifier.weight"};
  for (const SkimGate gate : {SkimGate::kLayer, SkimGate::kStaged}) {
    BertClassifier whole(small_config(gate)), some(small_config(gate));
    const std::vector<NamedTensor> expected = named_values(whole.parameters());
    const std::vector<NamedTensor> drawn = named_values(some.parameters());
    std::vector<std::vector<float>> before;
    for (const NamedTensor& weight : drawn) before.push_back(weight.tensor.contiguous().to_vector<float>());
    whole.initialize(7);
    some.initialize(7, names);
    for (std::size_t i = 0; i < drawn.size(); ++i) {
      INFO(drawn[i].name);
      const bool named = std::ranges::find(names, drawn[i].name) != names.end();
      const std::vector<float> found = drawn[i].tensor.contiguous().to_vector<float>();
      CHECK(found == (named ? expected[i].tensor.contiguous().to_vector<float>() : before[i]));
      if (named) CHECK(found != before[i]);
    }
  }
}

TEST_CASE("skimming: the masked training pass computes what dropping the rows computes") {
  for (const Skimming& gate : kSkimming) {
    const Config config = small_config(gate);
    const auto model = mixing_model(config);
    const PackedTokens inputs = random_inputs(16, 1);
    const ClassifierOutput masked = (*model)(inputs, noiseless());
    const ClassifierOutput dropped = (*model)(inputs, {});
    CHECK(largest_difference(masked.logits.value(), dropped.logits.value()) < 1e-5);
    // It skims, and not everything: the comparison means something.
    const double share = macs(config, dropped, inputs) / dense_macs(config, inputs.rows);
    CHECK(share < 0.85);
    CHECK(share > 0.15);
    CHECK(masked.encoder.cost.item() == Approx(share).epsilon(1e-4));
  }
}

TEST_CASE("skimming: a pass says which rows each layer worked on, and they are those of the training masks") {
  for (const Skimming& gate : kSkimming) {
    const auto model = mixing_model(small_config(gate));
    const PackedTokens inputs = random_inputs(16, 1);
    const EncoderOutput masked = (*model)(inputs, noiseless()).encoder;
    const EncoderOutput dropped = (*model)(inputs, {}).encoder;
    const std::vector<LayerRows> layers = count_rows(dropped.sets, inputs.rows);
    const auto check = [&](std::int64_t set, const std::vector<double>& counts, const Variable& mask) {
      const Tensor passing = greater(mask.value(), 0.5);
      const Kept kept = keep(inputs.rows, passing);
      CHECK(positions(dropped.sets, set, inputs.rows) == kept.packed.position.to_vector<std::int32_t>());
      CHECK(counts == count_rows(kept.packed.offsets));
    };
    const auto last = layers.size() - 1;
    for (std::size_t i = 0; i <= last; ++i) {
      const RowSetTable::Layer& sets = dropped.sets.layers[i];
      const MaskVariables& masks = masked.masks[i];
      if (masks.keys.defined()) check(sets.keys, layers[i].keys, masks.keys);
      if (masks.updated.defined()) check(sets.updated, layers[i].updated, masks.updated);
      if (masks.fed.defined()) check(sets.fed, layers[i].fed, masks.fed);
    }
    CHECK(positions(dropped.sets, dropped.sets.layers[last].updated, inputs.rows) == std::vector<std::int32_t>(16, 0));
    CHECK(layers[last].fed == std::vector<double>(16, 1));
    CHECK(masked.sets.positions.empty());
  }
}

TEST_CASE("skimming: a sentence alone and in a batch of 32 gets the same logits") {
  for (const Skimming& gate : kDenseAndSkimming) {
    const auto model = mixing_model(small_config(gate));
    const PackedTokens inputs = random_inputs(32, 2);
    const Tensor together = (*model)(inputs, {}).logits.value();
    for (std::int64_t s = 0; s < 32; ++s) {
      const Tensor alone = (*model)(one_sentence(inputs, s), {}).logits.value();
      CHECK(largest_difference(alone, together.narrow(0, s, 1)) < 1e-5);
    }
  }
}

TEST_CASE("skimming: training draws a sentence's noise by its own example and positions, whatever the batch") {
  Config config = small_config(SkimGate::kStaged);
  config.hidden_dropout_prob = config.attention_probs_dropout_prob = 0.1;
  const auto model = mixing_model(config);
  const PackedTokens inputs = random_inputs(8, 3);
  const Context training{.training = true, .state = make_step_state({.seed = 4, .step = 9})};
  const Tensor together = (*model)(inputs, training).logits.value();
  for (std::int64_t s = 0; s < 8; ++s) {
    const Tensor alone = (*model)(one_sentence(inputs, s), training).logits.value();
    CHECK(largest_difference(alone, together.narrow(0, s, 1)) < 1e-5);
  }
}

TEST_CASE("skimming: evaluation gives the same bits every time and with every thread count") {
  for (const Skimming& gate : kSkimming) {
    const auto model = mixing_model(small_config(gate));
    const PackedTokens inputs = random_inputs(16, 4);
    const int threads = num_threads();
    const Tensor first = (*model)(inputs, {}).logits.value();
    set_num_threads(1);
    const Tensor again = (*model)(inputs, {}).logits.value();
    set_num_threads(threads);
    CHECK(largest_difference(first, again) == 0);
  }
}

TEST_CASE("skimming: a model that keeps everything is plain BERT, bit for bit") {
  for (const Skimming& gate : kSkimming) {
    const auto skimmer = mixing_model(small_config(gate));
    const auto dense = mixing_model(small_config(SkimGate::kNone));
    const std::vector<NamedTensor> weights = named_values(skimmer->parameters());
    for (const NamedTensor& named : weights) {
      if (named.name.ends_with("predictor.4.weight")) named.tensor.fill(0);
      if (!named.name.ends_with("predictor.4.bias")) continue;
      named.tensor.fill(100);
      if (gate == SkimGate::kLayer) named.tensor.narrow(0, 0, 1).fill(-100);
    }
    for (const NamedTensor& own : named_values(dense->parameters())) {
      for (const NamedTensor& named : weights) {
        if (named.name == own.name) own.tensor.copy_from(named.tensor);
      }
    }
    const PackedTokens inputs = random_inputs(16, 5);
    CHECK(largest_difference((*skimmer)(inputs, {}).logits.value(), (*dense)(inputs, {}).logits.value()) == 0);
  }
}

TEST_CASE("skimming: ten training steps give the same bits with one and two threads") {
  const auto train = [](int threads) {
    const int before = num_threads();
    set_num_threads(threads);
    Config config = small_config(SkimGate::kStaged);
    config.hidden_dropout_prob = config.attention_probs_dropout_prob = 0.1;
    const auto model = mixing_model(config);
    AdamW optimizer(model->parameters());
    StepState start{.seed = 3};
    for (LearningRate& rate : start.learning_rate) rate = 1e-3;
    start.max_grad_norm = 1;
    const Tensor state = make_step_state(start);
    for (std::int64_t step = 1; step <= 10; ++step) {
      step_state(state).step = step;
      const PackedTokens inputs = random_inputs(12, 20 + static_cast<std::uint64_t>(step));
      const ClassifierOutput out = (*model)(inputs, {.training = true, .state = state});
      (cross_entropy_loss(out.logits, zeros({12}, DType::kInt32)) + out.encoder.cost).backward();
      optimizer.step(state);
    }
    set_num_threads(before);
    std::vector<float> all;
    for (const NamedTensor& named : named_values(model->parameters())) {
      const std::vector<float> some = named.tensor.to_vector<float>();
      all.insert(all.end(), some.begin(), some.end());
    }
    return all;
  };
  CHECK(train(1) == train(2));
}

TEST_CASE("skimming: a head that reads all rows gets every row's last state") {
  const SafetensorsFile file = golden("skim_layer");
  const std::string folder = golden_path("skim_layer_config");
  const Config config = load_config(folder);
  BertEmbeddings embeddings(config);
  SkimEncoder encoder(config);
  ParameterList parameters;
  embeddings.collect(parameters, kBert.weights);
  encoder.collect(parameters, kBert.weights);
  CHECK(load_weights(folder, named_values(parameters), kBert).missing.empty());
  const PackedTokens inputs{golden_packed(file), file.tensor("ids"), file.tensor("token_types")};
  ForwardOptions options;
  options.reads = HeadReads::kAllRows;
  const EncoderOutput out = encoder(embeddings(inputs, {}), inputs.rows, {.state = make_step_state({})}, options);
  CHECK(out.rows.tokens == inputs.rows.tokens);
  CHECK(largest_difference(out.x.value(), file.tensor("eval.final")) < 1e-5);
}

TEST_CASE("skimming: forced shares keep that part of each sentence in each layer") {
  for (const Skimming& gate : kSkimming) {
    const auto model = mixing_model(small_config(gate));
    const PackedTokens inputs = random_inputs(16, 6);
    const std::vector<double> shares = {1, 0.7, 0.5, 0.3};
    ForwardOptions options;
    options.keep_shares = &shares;
    const ClassifierOutput out = (*model)(inputs, {}, options);
    const std::vector<double> original = count_rows(inputs.rows.offsets);
    const std::vector<LayerRows> layers = count_rows(out.encoder.sets, inputs.rows);
    for (std::size_t i = 0; i < shares.size(); ++i) {
      for (std::size_t s = 0; s < 16; ++s) {
        CHECK(layers[i].keys[s] == static_cast<double>(std::max(1L, std::lround(shares[i] * original[s]))));
      }
    }
  }
}

TEST_CASE("skimming: forced shares are refused where no row is dropped, and need one for each layer") {
  const PackedTokens inputs = random_inputs(2, 6);
  const std::vector<double> shares = {1, 0.7, 0.5, 0.3}, few = {1, 0.5};
  const auto dense = mixing_model(small_config(SkimGate::kNone)),
             staged = mixing_model(small_config(SkimGate::kStaged));
  CHECK_THROWS_WITH((*dense)(inputs, {}, {.keep_shares = &shares}), ContainsSubstring("a pass that drops rows"));
  CHECK_THROWS_WITH((*staged)(inputs, {}, {.keep_shares = &few}), ContainsSubstring("each of 4 layers, got 2"));
}

TEST_CASE("skimming: rows left are computed in any multiple, among dummies, with the same result") {
  for (const Skimming& gate : kSkimming) {
    const Config config = small_config(gate);
    const auto model = mixing_model(config);
    const PackedTokens inputs = random_inputs(16, 7);
    const PackedTokens more = with_dummies(inputs, 9);
    const std::vector<double> shares = {0.9, 0.7, 0.5, 0.3};
    for (const std::vector<double>* keep_shares : {static_cast<const std::vector<double>*>(nullptr), &shares}) {
      const ClassifierOutput exact = (*model)(inputs, {}, {.keep_shares = keep_shares});
      for (const std::int64_t step : {std::int64_t{1}, std::int64_t{8}, std::int64_t{1000}}) {
        INFO(name(gate) << ", in steps of " << step << (keep_shares ? ", shares" : ""));
        const ClassifierOutput out = (*model)(more, {}, {.keep_shares = keep_shares, .row_step = step});
        CHECK(largest_difference(out.logits.value(), exact.logits.value()) < 1e-5);
        CHECK(macs(config, out, inputs) == macs(config, exact, inputs));
      }
    }
  }
}

TEST_CASE("skimming: an empty batch and sentences of one token pass through") {
  for (const Skimming& gate : kDenseAndSkimming) {
    const auto model = mixing_model(small_config(gate));
    const PackedTokens none{make_packed({}, {}), empty({0}, DType::kInt32), empty({0}, DType::kInt32)};
    CHECK((*model)(none, {}).logits.shape() == Shape{0, 2});
    const PackedTokens single{make_packed({1, 1}, {0, 1}), full({2}, 101, DType::kInt32), zeros({2}, DType::kInt32)};
    CHECK((*model)(single, {}).logits.shape() == Shape{2, 2});
    const Context training{.training = true, .state = make_step_state({})};
    CHECK((*model)(single, training).logits.shape() == Shape{2, 2});
  }
}
