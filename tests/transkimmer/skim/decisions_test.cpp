// What gates say of [CLS]: nothing, or, where it is free, whether it is updated and fed forward like any other row.

#include "transkimmer/skim/decisions.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "autograd/ops/elementwise.h"
#include "autograd/ops/reduce.h"
#include "autograd/ops/shape.h"
#include "tensor/ops/elementwise.h"
#include "tensor/ops/index.h"
#include "tests/support/catch.h"
#include "tests/support/golden.h"
#include "tests/support/tensors.h"
#include "tests/transkimmer/parts.h"
#include "tests/transkimmer/small_model.h"

using namespace tk;
using namespace tk::test;

namespace {

// Any token is first, so that gates differ in what they say of first rows.
PackedTokens sentences_of(const std::vector<std::int64_t>& lengths) {
  Generator generator(7, Purpose::kData);
  std::vector<std::int32_t> examples, ids, types;
  for (const std::int64_t length : lengths) {
    examples.push_back(static_cast<std::int32_t>(examples.size()));
    for (std::int64_t i = 0; i < length; ++i) {
      ids.push_back(static_cast<std::int32_t>(1 + generator.below(199)));
      types.push_back(0);
    }
  }
  return {make_packed(lengths, examples), from_values(ids), from_values(types)};
}

// How many first rows are in a set of packed rows, by its mask.
std::int64_t count_first(const Variable& mask, const Packed& rows) {
  const std::vector<float> of_row = mask.value().to_vector<float>();
  std::int64_t count = 0;
  for (std::int64_t s = 0; s < rows.sentences; ++s) {
    count += of_row[static_cast<std::size_t>(rows.offsets.data<std::int32_t>()[s])] > 0.5f;
  }
  return count;
}

double macs(const Config& config, const ClassifierOutput& out, const PackedTokens& inputs) {
  return executed_macs(config, count_rows(out.encoder.sets, inputs.rows), inputs.rows);
}

// Masked and dropped, exactly and among dummies: one result at one cost.
void check_all_agree(const BertClassifier& model, const PackedTokens& inputs) {
  const ClassifierOutput dropped = model(inputs, {});
  const ClassifierOutput masked = model(inputs, noiseless());
  CHECK(largest_difference(masked.logits.value(), dropped.logits.value()) < 1e-5);
  const double executed = macs(model.config(), dropped, inputs);
  CHECK(masked.encoder.cost.item() == Approx(executed / dense_macs(model.config(), inputs.rows)).epsilon(1e-4));
  for (const std::int64_t step : {std::int64_t{1}, std::int64_t{8}, std::int64_t{1000}}) {
    const ClassifierOutput out = model(with_dummies(inputs, 9), {}, {.row_step = step});
    const Tensor logits =
        out.logits.value().narrow(0, 0, dropped.logits.shape()[0]);  // a head of tokens answers for dummies
    CHECK(largest_difference(logits, dropped.logits.value()) < 1e-5);
    CHECK(macs(model.config(), out, inputs) == executed);
  }
}

// The noise of a layer's gates, [rows, 3]: of first rows `first`, of the others so large that it alone decides.
Tensor noise_with(const Packed& rows, const std::vector<float>& first, std::uint64_t seed) {
  Generator generator(seed, Purpose::kData);
  const Tensor noise = empty({rows.tokens, 3});
  for (std::int64_t i = 0; i < noise.numel(); ++i) noise.data<float>()[i] = generator.below(10) < 7 ? 1000.f : -1000.f;
  for (std::int64_t s = 0; s < rows.sentences; ++s) {
    std::ranges::copy(first, noise.data<float>() + 3 * rows.offsets.data<std::int32_t>()[s]);
  }
  return noise;
}

Tensor without_first(const Tensor& noise, const Packed& rows) {
  return index_select(noise, all_but_first_rows(rows).rows);
}

}  // namespace

TEST_CASE("free [CLS]: it is a key everywhere, and updated and fed in some sentences and not in others") {
  const auto model = mixing_model(small_config(kStagedFree));
  const PackedTokens inputs = sentences_of(std::vector<std::int64_t>(40, 6));
  check_all_agree(*model, inputs);
  const std::vector<MaskVariables> masks = (*model)(inputs, noiseless()).encoder.masks;
  for (std::size_t i = 0; i < masks.size(); ++i) {
    INFO("layer " << i);
    const auto counts = [&](const Variable& mask) { return count_first(mask, inputs.rows); };
    if (i > 0) CHECK(counts(masks[i].keys) == 40);
    if (i + 1 == masks.size()) break;
    if (i > 0) CHECK(counts(masks[i].updated) > 0);
    if (i > 0) CHECK(counts(masks[i].updated) < 40);
    CHECK(counts(masks[i].fed) > 0);
    CHECK(counts(masks[i].fed) < 40);
  }
}

TEST_CASE("free [CLS]: sentences without a row that asks or is fed, among others") {
  const PackedTokens inputs = sentences_of({1, 2, 3, 1, 1, 2, 9, 1, 2, 4, 1, 30, 2, 1});
  for (const HeadKind head : {HeadKind::kSequence, HeadKind::kToken}) {
    Config config = small_config(kStagedFree);
    config.set_head(head);
    const auto model = biased_model(config, {0.5, 0, 1.5});
    const std::vector<LayerRows> layers = count_rows((*model)(inputs, {}).encoder.sets, inputs.rows);
    // In some layer some sentences have none, and others have.
    const auto mixes = [&](std::vector<double> LayerRows::*set) {
      return std::any_of(layers.begin(), layers.end() - 1, [&](const LayerRows& rows) {
        const auto empty = std::ranges::count(rows.*set, 0.0);
        return empty > 2 && empty < 12;
      });
    };
    CHECK(mixes(&LayerRows::updated));
    CHECK(mixes(&LayerRows::fed));
    check_all_agree(*model, inputs);
    const Tensor together = (*model)(inputs, {}).encoder.x.value();
    for (std::int64_t s = 0, row = 0; s < inputs.rows.sentences; ++s) {
      const Tensor alone = (*model)(one_sentence(inputs, s), {}).encoder.x.value();
      CHECK(largest_difference(alone, together.narrow(0, row, alone.shape()[0])) < 1e-5);
      row += alone.shape()[0];
    }
  }
}

TEST_CASE("free [CLS]: batches in which no row asks, none is fed, or [CLS] alone stays") {
  struct Case {
    std::vector<float> biases;
    double keys, updated, fed;  // shares of all rows in layers 1 and 2
  };
  const PackedTokens inputs = random_inputs(12, 3);
  const double n = static_cast<double>(inputs.rows.tokens);
  const double first = 12 / n;
  for (const Case& c : {Case{{100, -100, 100}, 1, 0, 0}, Case{{100, 100, -100}, 1, 1, 0},
                        Case{{100, -100, -100}, 1, 0, 0}, Case{{-100, -100, -100}, first, 0, 0},
                        Case{{-100, 100, 100}, first, first, first}, Case{{-100, -100, 100}, first, 0, 0}}) {
    INFO("biases " << c.biases[0] << ' ' << c.biases[1] << ' ' << c.biases[2]);
    const auto model = biased_model(small_config(kStagedFree), c.biases);
    const std::vector<LayerRows> layers = count_rows((*model)(inputs, {}).encoder.sets, inputs.rows);
    const auto total = [](const std::vector<double>& rows) { return std::accumulate(rows.begin(), rows.end(), 0.0); };
    for (const std::size_t i : {1, 2}) {
      CHECK(total(layers[i].keys) == Approx(c.keys * n));
      CHECK(total(layers[i].updated) == Approx(c.updated * n));
      CHECK(total(layers[i].fed) == Approx(c.fed * n));
    }
    CHECK(layers[3].updated == std::vector<double>(12, 1));
    CHECK(layers[3].fed == std::vector<double>(12, 1));
    check_all_agree(*model, inputs);
  }
}

TEST_CASE("free [CLS]: where it passes all gates, the model is the one that keeps it, and predictors cost a row more") {
  const PackedTokens inputs = random_inputs(16, 4);
  const Packed& rows = inputs.rows;
  const auto kept = mixing_model(small_config(SkimGate::kStaged)), free = mixing_model(small_config(kStagedFree));
  std::vector<Tensor> of_all, of_others;
  for (std::uint64_t layer = 0; layer < 3; ++layer) {
    of_all.push_back(noise_with(rows, {-1000, 1000, 1000}, layer));  // the first gate is not asked
    of_others.push_back(without_first(of_all.back(), rows));
  }
  const Context training{.training = true, .state = make_step_state({})};
  const ClassifierOutput a = (*kept)(inputs, training, {.noise = &of_others});
  const ClassifierOutput b = (*free)(inputs, training, {.noise = &of_all});
  CHECK(same_bits(a.logits.value(), b.logits.value()));
  const MacCoefficients c = mac_coefficients(free->config());
  const double more = 3 * 16 * c.predict / dense_macs(free->config(), rows);
  CHECK(b.encoder.cost.item() - a.encoder.cost.item() == Approx(more).epsilon(1e-3));

  // In evaluation, too.
  const std::vector<float> biases = {0.5, 100, 100};
  const auto kept_too = biased_model(small_config(SkimGate::kStaged), biases),
             free_too = biased_model(small_config(kStagedFree), biases);
  const ClassifierOutput d = (*kept_too)(inputs, {}), e = (*free_too)(inputs, {});
  CHECK(same_bits(d.logits.value(), e.logits.value()));
  CHECK(macs(free_too->config(), e, inputs) - macs(kept_too->config(), d, inputs) == Approx(3 * 16 * c.predict));
}

TEST_CASE("free [CLS]: the random numbers of other rows are those that they have where it is kept") {
  const PackedTokens inputs = random_inputs(16, 5);
  const Context training{.training = true, .state = make_step_state({.seed = 4, .step = 9})};
  const auto kept = mixing_model(small_config(SkimGate::kStaged)), free = mixing_model(small_config(kStagedFree));
  const MaskVariables a = (*kept)(inputs, training).encoder.masks[1], b = (*free)(inputs, training).encoder.masks[1];
  const auto others = [&](const Variable& mask) { return without_first(mask.value(), inputs.rows); };
  CHECK(same_bits(others(a.keys), others(b.keys)));
  CHECK(same_bits(others(a.updated), others(b.updated)));
  CHECK(count_first(b.updated, inputs.rows) < 16);
}

// The encoder as the model's description has it, with any real numbers as gates of [CLS]: so that its derivative in
// them is one of finite differences.
namespace {

class SoftCls {
 public:
  SoftCls(const Parts& parts, const PackedTokens& inputs, const std::vector<Tensor>& noise)
      : parts_(parts), inputs_(inputs), noise_(noise), x_(parts.embeddings(inputs, {})) {}

  // The last layer's [CLS], and on the way the scores of [CLS] in each layer. gates [layers with a predictor][3].
  Variable operator()(const std::vector<std::vector<double>>& gates, std::vector<std::vector<double>>* scores = {}) {
    const std::int64_t n = inputs_.rows.tokens;
    Variable x = x_, r(full({n}, 1)), u = r;
    for (std::size_t i = 0; i < gates.size(); ++i) {
      const EncoderLayer& layer = parts_.encoder.layers[i];
      const Variable attended = layer.attention(x, inputs_.rows, nullptr, r, {});
      const Variable z = parts_.encoder.predictors[i](blend(x, attended, u));
      if (scores != nullptr) scores->push_back(z.value().select(0, 0).to(DType::kFloat64).to_vector<double>());
      const auto gate = [&](std::int64_t k) {
        const Tensor passing = greater(noise_[i].select(1, k), 0).to(DType::kFloat32);
        passing.narrow(0, 0, 1).fill(gates[i][static_cast<std::size_t>(k)]);
        return Variable(passing);
      };
      const Variable next = r * gate(0);
      const Variable fed = u * next * gate(2);
      x = blend(x, layer.feed_forward(attended, inputs_.rows, fed, {}), u);
      r = next;
      u = next * gate(1);
    }
    const Kept first = first_rows(inputs_.rows);
    const EncoderLayer& last = parts_.encoder.layers[gates.size()];
    return last.feed_forward(last.attention(x, inputs_.rows, &first, r, {}), first.packed, Variable(), {});
  }

 private:
  Variable blend(const Variable& x, const Variable& x_new, const Variable& mask) const {
    return x + reshape(mask, {mask.numel(), 1}) * (x_new - x);
  }

  const Parts& parts_;
  const PackedTokens& inputs_;
  const std::vector<Tensor>& noise_;
  Variable x_;
};

std::vector<float> bias_gradient(const Parts& parts, std::size_t layer) {
  return parts.encoder.predictors[layer].output.bias.grad().dense().to_vector<float>();
}

}  // namespace

// One layer's scores of [CLS] are near the threshold, on either side in turn; those of the others are far, where a gate
// has no slope, so that what the layer decides changes no other gate.
TEST_CASE("free [CLS]: gradients through its gates are finite differences in them, times the slope p (1 - p)") {
  constexpr double kLogit = 0.7, kFar = 1000, kStep = 1e-2;
  const double p = 1 / (1 + std::exp(-kLogit));
  const Config config = small_config(kStagedFree);
  const PackedTokens inputs = sentences_of({9});
  const Tensor direction = random_normal({1, config.hidden_size}, 6);
  const auto loss = [&](const Variable& x) { return sum(x * Variable(direction)); };
  const Context training{.training = true, .state = make_step_state({})};
  for (const std::size_t near : {0, 1, 2}) {
    for (const bool open : {false, true}) {
      INFO("layer " << near << (open ? ", open" : ", shut"));
      const Parts parts(*mixing_model(config));
      std::vector<Tensor> noise;
      std::vector<std::vector<double>> gates, scores;
      for (std::size_t layer = 0; layer < 3; ++layer) {
        noise.push_back(noise_with(inputs.rows, {0, 0, 0}, 20 + layer));
        const bool passes = layer != near || open;
        gates.push_back({1, passes ? 1.0 : 0.0, passes ? 1.0 : 0.0});
      }
      SoftCls reference(parts, inputs, noise);
      reference(gates, &scores);
      for (std::size_t layer = 0; layer < 3; ++layer) {
        for (std::size_t k = 0; k < 3; ++k) {
          const double side = gates[layer][k] > 0.5 ? 1 : -1;
          const double noisy = side * (layer == near ? kLogit : kFar);
          noise[layer].data<float>()[k] = static_cast<float>(noisy - scores[layer][k]);
        }
      }
      const EncoderOutput out = parts.encoder(parts.embeddings(inputs, {}), inputs.rows, training, {.noise = &noise});
      CHECK(loss(out.x).item() == Approx(loss(reference(gates)).item()).margin(1e-5));
      loss(out.x).backward();
      const std::vector<float> got = bias_gradient(parts, near);
      CHECK(got[0] == 0);  // it is no choice that [CLS] is a key
      for (const std::size_t k : {1, 2}) {
        INFO("gate " << k);
        const auto at = [&](double step) {
          std::vector<std::vector<double>> moved = gates;
          moved[near][k] += step;
          return loss(reference(moved)).item();
        };
        const double slope = (at(kStep) - at(-kStep)) / (2 * kStep);
        CHECK(got[k] == Approx(slope * p * (1 - p)).epsilon(0.01).margin(1e-3));
        const bool matters = near < 2 || k == 2;  // the last layer updates [CLS] whatever the gates of the one before
        CHECK((std::abs(got[k]) > 0.02) == matters);
      }
    }
  }
}
