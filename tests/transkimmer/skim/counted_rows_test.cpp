// A pass whose numbers of rows only the device knows, beside one that is told them (a row_step of 1).
#include <algorithm>
#include <string>

#include "autograd/grad_mode.h"
#include "tensor/backend.h"
#include "tensor/capture.h"
#include "tests/support/activations.h"
#include "tests/support/catch.h"
#include "tests/support/devices.h"
#include "tests/support/golden.h"
#include "tests/support/tensors.h"
#include "tests/transkimmer/small_model.h"

using namespace tk;
using namespace tk::test;

namespace {

Config config_of(const Skimming& gate, std::int64_t hidden, std::int64_t layers) {
  Config config = small_config(gate);
  config.hidden_size = hidden;
  config.num_attention_heads = hidden / 32;
  config.intermediate_size = 3 * hidden;
  config.num_hidden_layers = layers;
  config.skim_width = hidden / 4;
  config.initializer_range = 0.1;
  return config;
}

std::unique_ptr<BertClassifier> model_on_cuda(const Config& config) {
  auto model = mixing_model(config);
  model->place(Device::kCuda, DType::kBFloat16);
  return model;
}

std::unique_ptr<BertClassifier> model_on_cuda(const Skimming& gate, std::int64_t hidden, std::int64_t layers) {
  return model_on_cuda(config_of(gate, hidden, layers));
}

bool counts() {
  if (!has_cuda()) return false;
  const bool counts = model_on_cuda(SkimGate::kLayer, 64, 2)->counts_rows();
  if (!counts) WARN("cuda: skipped, no device of compute 9.0");
  return counts;
}

PackedTokens on_cuda(const PackedTokens& inputs) {
  return {to(inputs.rows, Device::kCuda), inputs.input_ids.to(Device::kCuda), inputs.token_types.to(Device::kCuda)};
}

Tensor logits_of(const ClassifierOutput& out) { return out.logits.value().to(Device::kCpu); }

double macs(const Config& config, const ClassifierOutput& out, const PackedTokens& inputs) {
  return executed_macs(config, count_rows(out.encoder.sets, inputs.rows), inputs.rows);
}

std::vector<double> shares_of(std::int64_t layers) {
  std::vector<double> shares;
  for (std::int64_t i = 0; i < layers; ++i)
    shares.push_back(1 - 0.9 * static_cast<double>(i) / static_cast<double>(layers));
  return shares;
}

// What each sentence has in each set of a pass, in words.
std::vector<std::string> sets_of(const EncoderOutput& out, const Packed& rows) {
  std::vector<std::string> of_sentence(static_cast<std::size_t>(rows.sentences));
  const std::vector<LayerRows> counts = count_rows(out.sets, rows);
  for (std::size_t i = 0; i < counts.size(); ++i) {
    const RowSetTable::Layer& sets = out.sets.layers[i];
    const auto add = [&](std::int64_t set, const std::vector<double>& lengths) {
      const std::vector<std::int32_t> all = positions(out.sets, set, rows);
      std::size_t at = 0;
      for (std::size_t s = 0; s < lengths.size(); ++s) {
        of_sentence[s] += '|';
        for (const std::size_t end = at + static_cast<std::size_t>(lengths[s]); at < end; ++at) {
          of_sentence[s] += std::to_string(all[at]) + ' ';
        }
      }
    };
    add(sets.keys, counts[i].keys);
    add(sets.updated, counts[i].updated);
    add(sets.fed, counts[i].fed);
  }
  return of_sentence;
}

// Where a sentence's rows are those of the CPU's pass, so are its logits, to bfloat16's rounding. Gives how many are.
std::int64_t check_same_as_cpu(const BertClassifier& on_cpu, const BertClassifier& there, const PackedTokens& inputs) {
  const ClassifierOutput expected = on_cpu(inputs, {}), got = there(on_cuda(inputs), {});
  const std::vector<std::string> their_sets = sets_of(expected.encoder, inputs.rows),
                                 sets = sets_of(got.encoder, to(inputs.rows, Device::kCuda));
  const Tensor want = expected.logits.value(), logits = logits_of(got);
  const double scale = std::max(1.0, largest_difference(want, zeros_like(want)));
  std::int64_t same = 0;
  for (std::int64_t s = 0; s < inputs.rows.sentences; ++s) {
    if (sets[static_cast<std::size_t>(s)] != their_sets[static_cast<std::size_t>(s)]) continue;
    CHECK(largest_difference(logits.narrow(0, s, 1), want.narrow(0, s, 1)) < 0.1 * scale);
    ++same;
  }
  return same;
}

struct Sizes {
  std::int64_t hidden, layers, sentences;
};
constexpr Sizes kSizes[] = {{64, 4, 16}, {64, 1, 3}, {64, 2, 1}, {384, 6, 150}};

}  // namespace

TEST_CASE("counted rows: on the CPU and in float32 a pass is told its numbers") {
  for (const Skimming& gate : kSkimming) CHECK_FALSE(mixing_model(small_config(gate))->counts_rows());
}

TEST_CASE("cuda counted rows: with every activation the logits are those of a pass that is told its numbers") {
  if (!counts()) return;
  const NoGrad no_grad;
  for (const ActivationCase& each : kEveryActivation) {
    INFO(name(each.op));
    Config config = config_of(SkimGate::kStaged, 64, 4);
    config.hidden_act = each.activation;
    const auto model = model_on_cuda(config);
    const PackedTokens inputs = on_cuda(with_dummies(random_inputs(16, 5), 11));
    const std::vector<double> shares = shares_of(4);
    const Tensor told = logits_of((*model)(inputs, {}, {.keep_shares = &shares, .row_step = 1}));
    const Tensor counted = logits_of((*model)(inputs, {}, {.keep_shares = &shares}));
    const double scale = std::max(1.0, largest_difference(told, zeros_like(told)));
    CHECK(largest_difference(counted, told) < 3 * kBFloat16 * scale);
  }
}

TEST_CASE(
    "cuda counted rows: forced shares drop the rows that a pass that is told its numbers drops, with its logits") {
  if (!counts()) return;
  const NoGrad no_grad;
  for (const Skimming& gate : kSkimming) {
    for (const Sizes& size : kSizes) {
      INFO(name(gate) << ", " << size.hidden << " columns, " << size.layers << " layers, " << size.sentences
                      << " sentences");
      const auto model = model_on_cuda(gate, size.hidden, size.layers);
      const PackedTokens inputs = random_inputs(size.sentences, 5), moved = on_cuda(with_dummies(inputs, 11));
      const std::vector<double> shares = shares_of(size.layers);
      const ClassifierOutput told = (*model)(moved, {}, {.keep_shares = &shares, .row_step = 1});
      const ClassifierOutput counted = (*model)(moved, {}, {.keep_shares = &shares});
      CHECK(macs(model->config(), counted, inputs) == macs(model->config(), told, inputs));
      const Tensor expected = logits_of(told), got = logits_of(counted);
      CHECK(got.shape() == expected.shape());
      const double scale = std::max(1.0, largest_difference(expected, zeros_like(expected)));
      CHECK(largest_difference(got, expected) < 3 * kBFloat16 * scale);
      for (std::size_t i = 0; i < told.encoder.sets.layers.size(); ++i) {
        const RowSetTable::Layer& sets = told.encoder.sets.layers[i];
        for (const std::int64_t set : {sets.keys, sets.updated, sets.fed}) {
          CHECK(positions(counted.encoder.sets, set, moved.rows) == positions(told.encoder.sets, set, moved.rows));
        }
      }
    }
  }
}

TEST_CASE("cuda counted rows: gates of z far from the threshold drop the rows that a pass that is told drops") {
  if (!counts()) return;
  const NoGrad no_grad;
  for (const Skimming& gate : kSkimming) {
    INFO(name(gate));
    const auto model = model_on_cuda(gate, 64, 4);
    const PackedTokens inputs = random_inputs(40, 6), moved = on_cuda(inputs);
    for (const double threshold : {-100.0, 0.0, 100.0}) {
      model->set_skim_threshold(threshold);
      const double told = macs(model->config(), (*model)(moved, {}, {.row_step = 1}), inputs);
      const double counted = macs(model->config(), (*model)(moved, {}), inputs);
      // Near 0 a rounding moves a row over the threshold.
      CHECK(counted == (threshold == 0 ? Approx(told).epsilon(0.03) : Approx(told)));
    }
  }
}

TEST_CASE("cuda counted rows: a sentence whose gates rounding does not move has the CPU's rows and logits") {
  if (!counts()) return;
  const NoGrad no_grad;
  for (const Skimming& gate : kSkimming) {
    INFO(name(gate));
    const Config config = config_of(gate, 64, 4);
    CHECK(check_same_as_cpu(*mixing_model(config), *model_on_cuda(config), random_inputs(60, 10)) > 30);
  }
}

TEST_CASE("cuda counted rows: batches in which no row asks, none is fed, or [CLS] alone stays, as on the CPU") {
  if (!counts()) return;
  const NoGrad no_grad;
  const std::vector<std::vector<float>> all_biases = {{100, -100, 100},   {100, 100, -100}, {100, -100, -100},
                                                      {-100, -100, -100}, {-100, 100, 100}, {-100, -100, 100}};
  for (const Skimming& gate : {Skimming(SkimGate::kStaged), kStagedFree}) {
    for (const std::vector<float>& biases : all_biases) {
      INFO(name(gate) << ", biases " << biases[0] << ' ' << biases[1] << ' ' << biases[2]);
      const Config config = config_of(gate, 64, 4);
      const auto on_cpu = biased_model(config, biases), there = biased_model(config, biases);
      there->place(Device::kCuda, DType::kBFloat16);
      CHECK(check_same_as_cpu(*on_cpu, *there, random_inputs(24, 11)) == 24);
    }
  }
}

TEST_CASE("cuda counted rows: one recording serves every skimming, with the eager pass's bits, run after run") {
  if (!counts()) return;
  const NoGrad no_grad;
  for (const Skimming& gate : kSkimming) {
    INFO(name(gate));
    const auto model = model_on_cuda(gate, 384, 6);
    const PackedTokens inputs = on_cuda(random_inputs(150, 7));
    ClassifierOutput recorded;
    (*model)(inputs, {});  // the copies of the weights
    const Capture capture = Capture::record(Device::kCuda, [&] { recorded = (*model)(inputs, {}); });
    for (const double threshold : {0.0, 0.7, -0.5, 100.0, 0.0}) {
      model->set_skim_threshold(threshold);
      const Tensor expected = logits_of((*model)(inputs, {}));
      for (int turn = 0; turn < 3; ++turn) {
        capture.replay();
        CHECK(same_bits(logits_of(recorded), expected));
      }
    }
  }
}

TEST_CASE("cuda counted rows: a sentence gets the same bits alone and among others") {
  if (!counts()) return;
  const NoGrad no_grad;
  for (const Skimming& gate : kSkimming) {
    INFO(name(gate));
    const auto model = model_on_cuda(gate, 64, 4);
    const PackedTokens inputs = random_inputs(20, 8);
    const Tensor together = (*model)(on_cuda(inputs), {}).encoder.x.value().to(Device::kCpu);
    const auto* offsets = inputs.rows.offsets.data<std::int32_t>();
    for (std::int64_t s = 0; s < 20; ++s) {
      const std::int64_t n = offsets[s + 1] - offsets[s];
      const PackedTokens alone{make_packed({n}, {0}), inputs.input_ids.narrow(0, offsets[s], n).clone(),
                               inputs.token_types.narrow(0, offsets[s], n).clone()};
      const Tensor got = (*model)(on_cuda(alone), {}).encoder.x.value().to(Device::kCpu);
      CHECK(same_bits(got, together.narrow(0, s, 1).clone()));
    }
  }
}

TEST_CASE("cuda counted rows: seven kernels a layer for either gate, and no wait") {
  if (!counts()) return;
  const NoGrad no_grad;
  for (const Skimming& gate : kSkimming) {
    INFO(name(gate));
    const PackedTokens inputs = on_cuda(random_inputs(30, 9));
    const auto calls_of = [&](std::int64_t layers) {
      const auto model = model_on_cuda(gate, 64, layers);
      (*model)(inputs, {});
      const HostCalls before = backend(Device::kCuda).host_calls();
      (*model)(inputs, {});
      return backend(Device::kCuda).host_calls() - before;
    };
    const HostCalls few = calls_of(3), more = calls_of(5);
    CHECK(more.launches - few.launches == 14);
    CHECK(more.waits + more.copies_in + more.copies_out == 0);
  }
}

TEST_CASE("cuda counted rows: an empty batch and sentences of one token pass through") {
  if (!counts()) return;
  const NoGrad no_grad;
  for (const Skimming& gate : kSkimming) {
    const auto model = model_on_cuda(gate, 64, 3);
    const PackedTokens none{make_packed({}, {}), empty({0}, DType::kInt32), empty({0}, DType::kInt32)};
    CHECK((*model)(on_cuda(none), {}).logits.shape() == Shape{0, 2});
    const PackedTokens single{make_packed({1, 1}, {0, 1}), full({2}, 101, DType::kInt32), zeros({2}, DType::kInt32)};
    const Tensor logits = logits_of((*model)(on_cuda(single), {}));
    CHECK(logits.shape() == Shape{2, 2});
    CHECK(largest_difference(logits.narrow(0, 0, 1).clone(), logits.narrow(0, 1, 1).clone()) == 0);
  }
}
