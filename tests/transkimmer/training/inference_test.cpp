#include "transkimmer/training/inference.h"

#include <memory>

#include "autograd/grad_mode.h"
#include "nn/loss.h"
#include "tensor/backend.h"
#include "tests/support/catch.h"
#include "tests/support/devices.h"
#include "tests/support/golden.h"
#include "tests/support/tensors.h"
#include "tests/transkimmer/mixing_gates.h"
#include "tests/transkimmer/training/toy_task.h"
#include "transkimmer/training/evaluation.h"

using namespace tk;
using namespace tk::test;

namespace {

// A model whose gates drop about half of the rows. Heads of 32 columns: the matrix path of attention in bfloat16.
struct MixingModel {
  MixingModel(const ToyTask& toy, const Skimming& gate, Device device, DType dtype = DType::kFloat32)
      : model(config(toy, gate)) {
    initialize_with_mixing_gates(model);
    model.place(device, dtype);
  }

  static Config config(const ToyTask& toy, const Skimming& gate) {
    Config config = toy.config(gate);
    config.hidden_size = 64;
    config.num_hidden_layers = 4;
    config.hidden_dropout_prob = config.attention_probs_dropout_prob = 0;
    return config;
  }

  BertClassifier model;
};

// Two batches of one shape: their sentences come in another order.
std::vector<Batch> batches(const ToyTask& toy) {
  std::vector<std::int64_t> indices(32);
  std::vector<Batch> result;
  for (int turn = 0; turn < 2; ++turn) {
    for (std::int64_t i = 0; i < 32; ++i) indices[static_cast<std::size_t>(i)] = turn == 0 ? i : 31 - i;
    result.push_back(make_batch(toy.dev, indices, TaskKind::kClassification));
  }
  return result;
}

struct Result {
  Tensor logits;
  double macs;
};

Result run(Inference& inference, const BertClassifier& model, const Batch& batch) {
  Result result;
  inference(0, batch, [&](const ClassifierOutput& out) {
    result = {out.logits.value().to(Device::kCpu),
              executed_macs(model.config(), count_rows(out.encoder.sets, batch.tokens.rows), batch.tokens.rows)};
  });
  return result;
}

}  // namespace

TEST_CASE("inference: on the CPU a pass is the model's own") {
  const ToyTask toy;
  const MixingModel mixing(toy, SkimGate::kStaged, Device::kCpu);
  Inference inference(mixing.model, {.unrecorded = 1, .exact_transforms = false});
  for (const Batch& batch : batches(toy)) {
    const NoGrad no_grad;
    const Tensor expected = mixing.model(batch.tokens, {}).logits.value();
    CHECK(largest_difference(run(inference, mixing.model, batch).logits, expected) == 0);
  }
  CHECK(inference.table_bytes() == 0);
}

TEST_CASE(
    "inference: on the CPU a pass with exact transforms is the model's own to rounding, and follows its weights") {
  const ToyTask toy;
  for (const Skimming& gate : kDenseAndSkimming) {
    INFO(name(gate));
    const MixingModel mixing(toy, gate, Device::kCpu);
    Inference inference(mixing.model);
    const auto check_all = [&] {
      for (const Batch& batch : batches(toy)) {
        const NoGrad no_grad;
        const ClassifierOutput expected = mixing.model(batch.tokens, {});
        const Result got = run(inference, mixing.model, batch);
        CHECK(largest_difference(got.logits, expected.logits.value()) < 1e-5);
        const Packed& rows = batch.tokens.rows;
        CHECK(got.macs < executed_macs(mixing.model.config(), count_rows(expected.encoder.sets, rows), rows));
      }
      CHECK(inference.table_bytes() > 0);
    };
    check_all();
    for (const NamedTensor& named : named_values(mixing.model.parameters())) {
      if (named.name.ends_with("word_embeddings.weight")) init_normal(named.tensor, 0, 0.1, 5, 6);
      if (named.name.ends_with("layer.0.attention.self.query.bias")) named.tensor.fill(0.2);
    }
    check_all();
  }
}

TEST_CASE("inference: passes follow the model's skim threshold, recorded or not") {
  const ToyTask toy;
  for (const Device device : {Device::kCpu, Device::kCuda}) {
    if (device == Device::kCuda && !has_cuda()) continue;
    for (const Skimming& gate : kSkimming) {
      INFO(name(gate) << ' ' << device);
      MixingModel mixing(toy, gate, device);
      for (const int queues : {1, 2}) {
        Inference inference(mixing.model, {.queues = queues, .unrecorded = 1});
        const Batch batch = batches(toy).front();
        const auto macs = [&](double threshold) {
          mixing.model.set_skim_threshold(threshold);
          return run(inference, mixing.model, batch).macs;
        };
        for (int turn = 0; turn < 3; ++turn) macs(0);
        const double usual = macs(0);
        CHECK(macs(1) < usual);
        CHECK(macs(-1) > usual);
        CHECK(macs(0) == usual);
      }
    }
  }
}

TEST_CASE(
    "cuda inference: a replayed pass equals an eager one to the bit, dense and skimmed, and drops the same rows") {
  if (!has_cuda()) return;
  const ToyTask toy;
  const std::vector<double> shares = {1, 0.7, 0.5, 0.3};
  for (const Skimming& gate : kDenseAndSkimming) {
    for (const DType dtype : {DType::kFloat32, DType::kBFloat16}) {
      for (const std::vector<double>* keep : {static_cast<const std::vector<double>*>(nullptr), &shares}) {
        if (gate == SkimGate::kNone && keep != nullptr) continue;
        INFO(name(gate) << ' ' << dtype << (keep ? ", shares" : ""));
        const MixingModel mixing(toy, gate, Device::kCuda, dtype);
        Inference eager(mixing.model, {.keep_shares = keep, .unrecorded = 1000});
        Inference recorded(mixing.model, {.keep_shares = keep, .unrecorded = 1});
        for (int turn = 0; turn < 3; ++turn) {
          for (const Batch& batch : batches(toy)) {
            const Result expected = run(eager, mixing.model, batch), got = run(recorded, mixing.model, batch);
            CHECK(largest_difference(got.logits, expected.logits) == 0);
            CHECK(got.macs == expected.macs);
          }
        }
      }
    }
  }
}

TEST_CASE("inference: in bfloat16 on the CPU answers and gradients are near float32's") {
  if (!has_bfloat16_products()) return;
  const ToyTask toy;
  for (const Skimming& gate : kDenseAndSkimming) {
    INFO(name(gate));
    const MixingModel exact(toy, gate, Device::kCpu), rounded(toy, gate, Device::kCpu, DType::kBFloat16);
    CHECK(rounded.model.compute_dtype() == DType::kBFloat16);
    Inference in_float32(exact.model, {}), in_bfloat16(rounded.model, {});
    for (const Batch& batch : batches(toy)) {
      const Tensor expected = run(in_float32, exact.model, batch).logits;
      const Tensor got = run(in_bfloat16, rounded.model, batch).logits;
      CHECK(largest_difference(got, expected) > 0);
      // Rounding moves rows over the gates' threshold: only a dense model must agree closely.
      CHECK(largest_difference(got, expected) < (gate == SkimGate::kNone ? 0.05 : 1.0));
    }
    if (gate != SkimGate::kNone) continue;
    const Batch batch = batches(toy).front();
    for (const BertClassifier* model : {&exact.model, &rounded.model}) {
      cross_entropy_loss((*model)(batch.tokens, {}).logits, batch.labels).backward();
    }
    const std::vector<NamedTensor> expected = named_gradients(exact.model.parameters());
    const std::vector<NamedTensor> got = named_gradients(rounded.model.parameters());
    for (std::size_t i = 0; i < got.size(); ++i) {
      INFO(got[i].name);
      CHECK(largest_difference(got[i].tensor, expected[i].tensor) < 3e-2);
    }
  }
}

TEST_CASE(
    "inference: in int8 answers are near float32's, with the same bits in any batch and for any number of threads") {
  const ToyTask toy;
  for (const Skimming& gate : kDenseAndSkimming) {
    INFO(name(gate));
    const MixingModel exact(toy, gate, Device::kCpu), rounded(toy, gate, Device::kCpu, DType::kInt8);
    CHECK(rounded.model.compute_dtype() == DType::kInt8);
    Inference in_float32(exact.model, {}), in_int8(rounded.model, {});
    for (const Batch& batch : batches(toy)) {
      const Tensor expected = run(in_float32, exact.model, batch).logits;
      const Tensor got = run(in_int8, rounded.model, batch).logits;
      CHECK(largest_difference(got, expected) > 0);
      // Rounding moves rows over the gates' threshold: only a dense model must agree closely.
      CHECK(largest_difference(got, expected) < (gate == SkimGate::kNone ? 0.1 : 1.0));
      const ThreadCount threads(3);
      CHECK(same_bits(run(in_int8, rounded.model, batch).logits, got));
    }
    CHECK(in_int8.table_bytes() == 0);
  }
  const MixingModel model(toy, SkimGate::kNone, Device::kCpu, DType::kInt8);
  const Batch batch = batches(toy).front();
  CHECK_THROWS_WITH(model.model(batch.tokens, {}), ContainsSubstring("int8, which has no backward"));
}

TEST_CASE("cuda inference: a head that reads every row is recorded too, with the eager pass's bits, near the CPU's") {
  if (!has_cuda()) return;
  const ToyTask toy;
  for (const Skimming& gate : kDenseAndSkimming) {
    INFO(name(gate));
    const auto token_model = [&](Device device) {
      Config config = MixingModel::config(toy, gate);
      config.set_head(HeadKind::kToken);
      auto model = std::make_unique<BertClassifier>(config);
      initialize_with_mixing_gates(*model);
      model->place(device);
      return model;
    };
    const auto here = token_model(Device::kCpu), there = token_model(Device::kCuda);
    Inference on_cpu(*here), eager(*there, {.unrecorded = 1000}), recorded(*there, {.unrecorded = 1});
    for (int turn = 0; turn < 3; ++turn) {
      for (const Batch& batch : batches(toy)) {
        const auto logits = [&](Inference& inference, const BertClassifier& model) {
          return run(inference, model, batch).logits.narrow(0, 0, batch.tokens.rows.tokens);  // dummies follow
        };
        const Tensor expected = logits(eager, *there);
        CHECK(largest_difference(logits(recorded, *there), expected) == 0);
        CHECK(largest_difference(logits(on_cpu, *here), expected) < 2e-5);
        if (gate == SkimGate::kNone) continue;
        const Context noiseless{.training = true, .state = make_step_state({.gate_noise = 0}, Device::kCuda)};
        const Tensor masked = (*there)(to(batch, Device::kCuda).tokens, noiseless).logits.value();
        CHECK(largest_difference(masked.to(Device::kCpu), expected) < 2e-5);
      }
    }
  }
}

TEST_CASE("cuda inference: near the CPU's, dense and skimmed, and masked training equals dropping") {
  if (!has_cuda()) return;
  const ToyTask toy;
  for (const Skimming& gate : kDenseAndSkimming) {
    INFO(name(gate));
    const MixingModel here(toy, gate, Device::kCpu), there(toy, gate, Device::kCuda);
    const MixingModel narrow(toy, gate, Device::kCuda, DType::kBFloat16);
    Inference on_cpu(here.model, {.exact_transforms = false}), on_cuda(there.model, {.unrecorded = 1});
    Inference in_bfloat16(narrow.model, {.unrecorded = 1});
    for (const Batch& batch : batches(toy)) {
      const Result expected = run(on_cpu, here.model, batch), got = run(on_cuda, there.model, batch);
      CHECK(largest_difference(got.logits, expected.logits) < 2e-5);
      CHECK(got.macs == Approx(expected.macs));
      // Rounding moves rows over the gates' threshold: only a dense model must agree closely.
      const Tensor rough = run(in_bfloat16, narrow.model, batch).logits;
      CHECK(largest_difference(rough, expected.logits) < (gate == SkimGate::kNone ? 0.05 : 1.0));
      if (gate == SkimGate::kNone) continue;
      const Packed& rows = batch.tokens.rows;
      const std::int64_t asked = rows.tokens - (gate.cls == SkimCls::kFree ? 0 : rows.sentences);
      const std::vector<Tensor> noise(static_cast<std::size_t>(here.model.config().num_predictors()),
                                      zeros({asked, traits(gate.gate).gates}, DType::kFloat32, Device::kCuda));
      ForwardOptions options;
      options.noise = &noise;
      const Context training{.training = true, .state = make_step_state({}, Device::kCuda)};
      const ClassifierOutput masked = there.model(to(batch, Device::kCuda).tokens, training, options);
      CHECK(largest_difference(masked.logits.value(), got.logits) < 2e-5);
    }
  }
}

TEST_CASE("cuda inference: gradients near the CPU's") {
  if (!has_cuda()) return;
  const ToyTask toy;
  const Batch batch = batches(toy).front();
  const auto gradients = [&](Device device, DType dtype) {
    const MixingModel mixing(toy, SkimGate::kNone, device, dtype);
    const Batch moved = to(batch, device);
    cross_entropy_loss(mixing.model(moved.tokens, {}).logits, moved.labels).backward();
    return named_gradients(mixing.model.parameters());
  };
  const std::vector<NamedTensor> expected = gradients(Device::kCpu, DType::kFloat32);
  for (const auto& [dtype, tolerance] : {std::pair(DType::kFloat32, 1e-5), std::pair(DType::kBFloat16, 3e-2)}) {
    const std::vector<NamedTensor> got = gradients(Device::kCuda, dtype);
    for (std::size_t i = 0; i < got.size(); ++i) {
      INFO(got[i].name << ' ' << dtype);
      CHECK(largest_difference(got[i].tensor, expected[i].tensor) < tolerance);
    }
  }
}

TEST_CASE("cuda inference: a replayed pass is one call beside its batch, without waiting, and follows its weights") {
  if (!has_cuda()) return;
  const ToyTask toy;
  for (const Skimming& gate : kDenseAndSkimming) {
    INFO(name(gate));
    const MixingModel mixing(toy, gate, Device::kCuda, DType::kBFloat16);
    Inference inference(mixing.model, {.unrecorded = 1});
    const Batch batch = batches(toy).front();
    const auto logits = [&] { return run(inference, mixing.model, batch).logits; };
    for (int turn = 0; turn < 2; ++turn) logits();
    const HostCalls before = backend(Device::kCuda).host_calls();
    HostCalls calls;
    inference(0, batch, [&](const ClassifierOutput&) { calls = backend(Device::kCuda).host_calls() - before; });
    CHECK(calls.replays == 1);
    CHECK(calls.copies_in == 1);
    CHECK(calls.launches + calls.copies_out + calls.waits == 0);
    const Tensor first = logits();
    for (const NamedTensor& named : named_values(mixing.model.parameters())) {
      if (named.name == "bert.pooler.dense.weight") named.tensor.fill(0);
    }
    CHECK(largest_difference(logits(), first) > 0);
    for (int turn = 0; turn < 2; ++turn) logits();  // recorded anew
    CHECK(largest_difference(logits(), first) > 0);
  }
}
