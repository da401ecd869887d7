#include "transkimmer/training/evaluation.h"

#include "autograd/grad_mode.h"
#include "data/batch.h"
#include "data/data_loader.h"
#include "tensor/backend.h"
#include "tensor/ops/reduce.h"
#include "tests/support/catch.h"
#include "tests/support/devices.h"
#include "tests/support/golden.h"
#include "tests/transkimmer/mixing_gates.h"
#include "tests/transkimmer/training/toy_task.h"
#include "transkimmer/training/inference.h"
#include "transkimmer/training/scoring.h"

using namespace tk;
using namespace tk::test;

namespace {

// A model whose gates drop some of the rows.
struct DroppingModel {
  DroppingModel(const ToyTask& toy, const Skimming& gate, SkimAttention attention, Device device)
      : model(config(toy, gate, attention)) {
    initialize_with_mixing_gates(model);
    model.place(device);
  }

  static Config config(const ToyTask& toy, const Skimming& gate, SkimAttention attention) {
    Config config = toy.config(gate);
    config.num_hidden_layers = 3;
    config.skim_attention = attention;
    return config;
  }

  BertClassifier model;
};

void check_same(const Evaluation& a, const Evaluation& b) {
  CHECK(largest_difference(a.logits, b.logits) == 0);
  CHECK(a.loss == b.loss);
  CHECK(a.tokens == b.tokens);
  CHECK(a.counted_macs == b.counted_macs);
  CHECK(a.executed_macs == b.executed_macs);
  REQUIRE(a.layers.size() == b.layers.size());
  for (std::size_t i = 0; i < a.layers.size(); ++i) {
    CHECK(a.layers[i].keys == b.layers[i].keys);
    CHECK(a.layers[i].updated == b.layers[i].updated);
    CHECK(a.layers[i].fed == b.layers[i].fed);
  }
}

}  // namespace

TEST_CASE("evaluation: logits come in the order of the examples, whatever the batches") {
  const ToyTask toy;
  BertClassifier model(toy.config(SkimGate::kLayer));
  model.initialize(2);
  EvaluationOptions one_by_one;
  one_by_one.batch_size = 1;
  const Evaluation by_one = evaluate(model, toy.task, toy.dev, one_by_one);
  const Evaluation by_many = evaluate(model, toy.task, toy.dev);
  const std::vector<float> a = by_one.logits.to_vector<float>();
  const std::vector<float> b = by_many.logits.to_vector<float>();
  for (std::size_t i = 0; i < a.size(); ++i) CHECK(a[i] == Approx(b[i]).margin(1e-5));
  CHECK(by_one.tokens == by_many.tokens);
}

TEST_CASE("evaluation: batches may be full by their tokens") {
  const ToyTask toy;
  BertClassifier model(toy.config(SkimGate::kStaged));
  model.initialize(2);
  const Evaluation by_sentences = evaluate(model, toy.task, toy.dev);
  const Evaluation by_tokens = evaluate(model, toy.task, toy.dev, {.batch_size = 0, .max_tokens = 100});
  CHECK(by_tokens.batches > by_tokens.tokens / 100);
  CHECK(by_tokens.batches < by_tokens.tokens / 50);
  CHECK(largest_difference(by_tokens.logits, by_sentences.logits) < 1e-5);
}

TEST_CASE("evaluation: a threshold is fitted so that a split costs at most what was asked, and little less") {
  const ToyTask toy;
  BertClassifier model(toy.config(SkimGate::kStaged));
  model.initialize(1);
  Split split;
  split.examples = toy.corpus.dev.examples;
  split.tokenized = toy.dev;
  const auto cost = [&] { return evaluate(model, toy.task, toy.dev).mac_share(); };
  const double before = cost();  // untrained gates keep all; of two layers the last updates first rows alone
  for (const double asked : {0.9 * before, 0.8 * before}) {
    fit_skim_threshold(model, toy.task, split, asked);
    CHECK(cost() <= asked);
    CHECK(cost() > asked - 0.1);
  }
  CHECK(model.config().skim_threshold > 0);  // z is about 5 before any training
}

TEST_CASE("evaluation: a pass is the sum of its batches") {
  const ToyTask toy;
  constexpr std::int64_t kBatch = 24;  // the last is smaller
  const auto batches =
      epoch_batches(lengths_of(toy.dev), {.batch_size = kBatch, .order = BatchOrder::kLongestFirst}, 0);
  REQUIRE(batches.size() == 3);
  for (const Skimming& gate : kDenseAndSkimming) {
    for (const SkimAttention attention : {SkimAttention::kExact, SkimAttention::kPaper}) {
      INFO(name(gate) << (attention == SkimAttention::kPaper ? ", paper attention" : ""));
      const DroppingModel dropping(toy, gate, attention, Device::kCpu);
      const Config& config = dropping.model.config();
      Evaluation sum;
      sum.layers.assign(3, {0, 0, 0});
      const NoGrad no_grad;
      std::vector<std::int64_t> seen;
      const Evaluation whole =
          evaluate(dropping.model, toy.task, toy.dev,
                   {.batch_size = kBatch, .exact_transforms = false, .progress = [&](std::int64_t done, std::int64_t) {
                      seen.push_back(done);
                    }});
      const Evaluation transformed = evaluate(dropping.model, toy.task, toy.dev, {.batch_size = kBatch});
      CHECK(largest_difference(transformed.logits, whole.logits) < 1e-5);
      CHECK(transformed.counted_macs == whole.counted_macs);
      const bool masked = gate != SkimGate::kNone && attention == SkimAttention::kPaper;
      CHECK((transformed.executed_macs == whole.executed_macs) == masked);
      for (const std::vector<std::int64_t>& indices : batches) {
        const Batch batch = make_batch(toy.dev, indices, TaskKind::kClassification);
        const ClassifierOutput out = dropping.model(batch.tokens, {});
        for (std::size_t i = 0; i < indices.size(); ++i) {
          CHECK(largest_difference(whole.logits.select(0, indices[i]),
                                   out.logits.value().select(0, static_cast<std::int64_t>(i))) == 0);
        }
        const double dense = dense_macs(config, batch.tokens.rows);
        const std::vector<LayerRows> layers = count_rows(out.encoder.sets, batch.tokens.rows);
        const double counted = counted_macs(config, layers, batch.tokens.rows);
        if (out.encoder.masked) CHECK(out.encoder.cost.item() * dense == Approx(counted));
        sum.counted_macs += counted;
        sum.executed_macs += out.encoder.masked ? dense : executed_macs(config, layers, batch.tokens.rows);
        for (std::size_t i = 0; i < 3; ++i) {
          for (const double n : layers[i].keys) sum.layers[i].keys += n;
          const Variable keys = out.encoder.masked ? out.encoder.masks[i].keys : Variable();
          if (keys.defined()) {
            double kept = 0;
            for (const double n : layers[i].keys) kept += n;
            CHECK(tk::sum(keys.value()).item() == kept);
          }
        }
      }
      CHECK(seen == std::vector<std::int64_t>{24, 48, 64});
      CHECK(whole.counted_macs == sum.counted_macs);
      CHECK(whole.executed_macs == sum.executed_macs);
      for (std::size_t i = 0; i < 3; ++i) {
        CHECK(whole.layers[i].keys == sum.layers[i].keys / static_cast<double>(whole.tokens));
      }
      if (gate != SkimGate::kNone) CHECK(whole.layers[2].keys < 0.9);
    }
  }
}

TEST_CASE("cuda evaluation: batches that replay one recorded pass one after the other give the eager passes' numbers") {
  if (!has_cuda()) return;
  const ToyTask toy;
  const std::vector<TokenizedExample> alike = of_one_length(toy.dev, 20);
  for (const Skimming& gate : kDenseAndSkimming) {
    for (const SkimAttention attention : {SkimAttention::kExact, SkimAttention::kPaper}) {
      INFO(name(gate) << (attention == SkimAttention::kPaper ? ", paper attention" : ""));
      const DroppingModel dropping(toy, gate, attention, Device::kCuda);
      Inference eager(dropping.model, {.unrecorded = 1000}), recorded(dropping.model, {.unrecorded = 1});
      const Evaluation expected = evaluate(dropping.model, toy.task, alike, {.batch_size = 8, .inference = &eager});
      for (int turn = 0; turn < 2; ++turn) {
        check_same(evaluate(dropping.model, toy.task, alike, {.batch_size = 8, .inference = &recorded}), expected);
      }
    }
  }
}

TEST_CASE("cuda evaluation: batches side by side in several queues give the same bits eager, recorded and again") {
  if (!has_cuda()) return;
  const ToyTask toy;
  const std::vector<TokenizedExample> alike = of_one_length(toy.dev, 20);
  for (const Skimming& gate : kDenseAndSkimming) {
    INFO(name(gate));
    const DroppingModel dropping(toy, gate, SkimAttention::kExact, Device::kCuda);
    Inference alone(dropping.model, {.unrecorded = 1});
    Inference eager(dropping.model, {.queues = 3, .unrecorded = 1000});
    Inference recorded(dropping.model, {.queues = 3, .unrecorded = 1});
    const auto evaluated = [&](Inference& inference) {
      return evaluate(dropping.model, toy.task, alike, {.batch_size = 4, .inference = &inference});
    };
    const Evaluation expected = evaluated(eager);
    for (int turn = 0; turn < 4; ++turn) check_same(evaluated(recorded), expected);
    // Products for a part of the device may sum in another order.
    CHECK(largest_difference(evaluated(alone).logits, expected.logits) < 1e-4);
  }
}

TEST_CASE("cuda evaluation: a dense batch is one copy in, one replay and one copy out") {
  if (!has_cuda()) return;
  const ToyTask toy;
  const DroppingModel dense(toy, SkimGate::kNone, SkimAttention::kExact, Device::kCuda);
  Inference inference(dense.model, {.unrecorded = 1});
  HostCalls calls;
  for (int turn = 0; turn < 3; ++turn) {
    const HostCalls before = backend(Device::kCuda).host_calls();
    evaluate(dense.model, toy.task, toy.dev, {.batch_size = 16, .inference = &inference});
    calls = backend(Device::kCuda).host_calls() - before;
  }
  CHECK(calls.copies_in == 4);
  CHECK(calls.replays == 4);
  CHECK(calls.copies_out == 4);
  CHECK(calls.launches + calls.waits == 0);
}
