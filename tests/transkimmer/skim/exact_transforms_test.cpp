// The transforms that give the same numbers with fewer MACs (docs/model.md, "What evaluation need not compute").

#include <algorithm>
#include <cmath>

#include "autograd/grad_mode.h"
#include "tests/support/catch.h"
#include "tests/support/golden.h"
#include "tests/support/tensors.h"
#include "tests/transkimmer/small_model.h"
#include "transkimmer/embedding_tables.h"

using namespace tk;
using namespace tk::test;

namespace {

// All weights drawn, biases and layer norms too: what a transform forgets shows.
std::unique_ptr<BertClassifier> random_model(const Config& config) {
  auto model = mixing_model(config);
  std::uint32_t sequence = 0;
  for (const NamedTensor& named : named_values(model->parameters())) {
    ++sequence;
    if (named.name.find("predictor") != std::string::npos) continue;
    if (named.name.ends_with("LayerNorm.weight")) init_normal(named.tensor, 1, 0.3, 9, sequence);
    if (named.name.ends_with(".bias")) init_normal(named.tensor, 0, 0.3, 9, sequence);
  }
  return model;
}

double largest(const Tensor& x) {
  double most = 0;
  for (const float value : x.to_vector<float>()) most = std::max(most, std::abs(static_cast<double>(value)));
  return most;
}

std::vector<Attending> attending(const ClassifierOutput& out) {
  std::vector<Attending> ways;
  for (const RowSetTable::Layer& layer : out.encoder.sets.layers) ways.push_back(layer.attending);
  return ways;
}

double executed(const Config& config, const ClassifierOutput& out, const PackedTokens& inputs) {
  return executed_macs(config, count_rows(out.encoder.sets, inputs.rows), inputs.rows);
}

}  // namespace

TEST_CASE("exact transforms: logits and rows are the untransformed ones, with fewer MACs, whatever skims and is read") {
  const NoGrad no_grad;
  const std::vector<double> shares = {0.9, 0.7, 0.5, 0.3};
  for (const Skimming& gate : kDenseAndSkimming) {
    for (const HeadKind head : {HeadKind::kSequence, HeadKind::kToken}) {
      for (const std::vector<double>* keep_shares : {static_cast<const std::vector<double>*>(nullptr), &shares}) {
        if (gate == SkimGate::kNone && keep_shares != nullptr) continue;
        INFO(name(gate) << (head == HeadKind::kToken ? ", all rows read" : "") << (keep_shares ? ", shares" : ""));
        Config config = small_config(gate);
        config.set_head(head);
        const auto model = random_model(config);
        EmbeddingTables tables;
        for (const std::uint64_t seed : {1, 2}) {  // the second batch finds rows of the first
          const PackedTokens inputs = random_inputs(16, seed);
          const ClassifierOutput plain = (*model)(inputs, {}, {.keep_shares = keep_shares});
          const ClassifierOutput transformed =
              (*model)(inputs, {}, {.keep_shares = keep_shares, .exact_transforms = true, .tables = &tables});
          const Tensor expected = plain.logits.value();
          CHECK(largest_difference(transformed.logits.value(), expected) < 1e-5 * largest(expected));
          const std::vector<Attending> ways = attending(transformed);
          CHECK(ways.front() == Attending::kFromTables);
          const bool few_ask = head == HeadKind::kSequence;
          if (!few_ask) CHECK(ways.back() == Attending::kProjected);
          // Gates that mix leave too few keys in the last staged layer.
          if (few_ask && (gate == SkimGate::kNone || keep_shares)) CHECK(ways.back() == Attending::kUnprojected);
          CHECK(attending(plain) == std::vector<Attending>(4, Attending::kProjected));
          CHECK(executed(config, transformed, inputs) < executed(config, plain, inputs));
          const std::vector<LayerRows> a = count_rows(transformed.encoder.sets, inputs.rows),
                                       b = count_rows(plain.encoder.sets, inputs.rows);
          for (std::size_t i = 0; i < a.size(); ++i) CHECK((a[i].keys == b[i].keys && a[i].fed == b[i].fed));
        }
      }
    }
  }
}

TEST_CASE("exact transforms: a staged layer whose rows seldom ask makes no keys, and one whose rows all ask does") {
  const NoGrad no_grad;
  const Config config = small_config(kStagedFree);
  const PackedTokens inputs = random_inputs(16, 1);
  const auto ways = [&](const std::vector<float>& biases) {
    const auto model = biased_model(config, biases);
    return attending((*model)(inputs, {}, {.exact_transforms = true}));
  };
  const auto [all, none] = std::pair(Attending::kProjected, Attending::kUnprojected);
  CHECK(ways({100, -100, 100}) == std::vector<Attending>{all, none, none, none});
  CHECK(ways({100, 100, 100}) == std::vector<Attending>{all, all, all, none});
}

TEST_CASE("exact transforms: masked training gives what transformed dropping gives") {
  for (const Skimming& gate : kSkimming) {
    const auto model = mixing_model(small_config(gate));
    const PackedTokens inputs = random_inputs(16, 1);
    const Tensor masked = (*model)(inputs, noiseless()).logits.value();
    const NoGrad no_grad;
    EmbeddingTables tables;
    const Tensor dropped = (*model)(inputs, {}, {.exact_transforms = true, .tables = &tables}).logits.value();
    CHECK(largest_difference(masked, dropped) < 1e-5);
  }
}

TEST_CASE("exact transforms: a skimming model that keeps everything is the dense one with them, bit for bit") {
  const NoGrad no_grad;
  const PackedTokens inputs = random_inputs(16, 5);
  const auto logits = [&](const BertClassifier& model) {
    EmbeddingTables tables;
    return model(inputs, {}, {.exact_transforms = true, .tables = &tables}).logits.value();
  };
  const auto dense = mixing_model(small_config(SkimGate::kNone));
  const std::vector<NamedTensor> weights = named_values(dense->parameters());
  for (const Skimming& gate : kSkimming) {
    const auto skimmer = gate == SkimGate::kLayer ? biased_model(small_config(gate), {-100, 100})
                                                  : biased_model(small_config(gate), {100, 100, 100});
    for (const NamedTensor& named : named_values(skimmer->parameters())) {
      for (const NamedTensor& own : weights) {
        if (named.name == own.name) named.tensor.copy_from(own.tensor);
      }
    }
    CHECK(largest_difference(logits(*skimmer), logits(*dense)) == 0);
  }
}

TEST_CASE("exact transforms: evaluation gives the same bits with every thread count") {
  const NoGrad no_grad;
  for (const Skimming& gate : kDenseAndSkimming) {
    const auto model = mixing_model(small_config(gate));
    const PackedTokens inputs = random_inputs(16, 4);
    const auto logits = [&](int threads) {
      const ThreadCount count(threads);
      EmbeddingTables tables;
      return (*model)(inputs, {}, {.exact_transforms = true, .tables = &tables}).logits.value();
    };
    CHECK(largest_difference(logits(1), logits(2)) == 0);
  }
}

TEST_CASE("exact transforms: neither training nor a pass that records gradients takes them") {
  const auto model = mixing_model(small_config(SkimGate::kNone));
  const PackedTokens inputs = random_inputs(4, 1);
  EmbeddingTables tables;
  const ForwardOptions options{.exact_transforms = true, .tables = &tables};
  for (const Context& context : {Context(), noiseless()}) {
    CHECK(attending((*model)(inputs, context, options)) == std::vector<Attending>(4, Attending::kProjected));
  }
  CHECK(tables.bytes() == 0);
}
