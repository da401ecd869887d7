#include <algorithm>
#include <cstdlib>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "tensor/communicator.h"
#include "tests/support/catch.h"
#include "tests/support/devices.h"
#include "tests/support/tensors.h"
#include "tests/transkimmer/skimming.h"
#include "tests/transkimmer/training/toy_task.h"
#include "tests/transkimmer/training/trainer_runs.h"
#include "transkimmer/training/trainer.h"

using namespace tk;
using namespace tk::test;

namespace {

TrainerOptions options_of(const Skimming& gate, std::int64_t steps, std::int64_t micro_batches) {
  TrainerOptions options = few_steps(steps, 1e-3);
  options.batch_size = 20;
  options.micro_batches = micro_batches;
  options.skim_learning_rate = 1e-2;
  if (gate == SkimGate::kLayer) options.skim_coefficient = 0.5;
  if (gate != SkimGate::kNone && gate != SkimGate::kLayer) options.skim_target = 0.5;
  return options;
}

struct Trained {
  std::vector<StepReport> reports;
  std::vector<float> weights;
};

// A teacher for all rows, of which some have no label. The last batch of an epoch has fewer sentences than
// micro-batches.
Trained trained(const TrainerOptions& options, const Skimming& gate, Communicator& ranks = alone(),
                Device device = Device::kCpu) {
  ToyTask toy;
  toy.train.resize(104);
  for (std::size_t i = 0; i < toy.train.size(); i += 5) toy.train[i].label = -1;
  BertClassifier model(toy.config(gate));
  model.initialize(1);
  model.place(device, device == Device::kCpu ? DType::kFloat32 : DType::kBFloat16);
  Trainer trainer(model, toy.task, toy.train, options, full({104, model.config().num_labels()}, 0.25), {}, ranks);
  Trained result;
  while (!trainer.finished()) result.reports.push_back(trainer.step(true));
  result.weights = weights(model);
  return result;
}

}  // namespace

TEST_CASE(
    "step batches: sentences are dealt out so that micro-batches have almost as many, and tokens, in their order") {
  std::vector<std::int64_t> lengths;
  for (std::int64_t i = 0; i < 100; ++i) lengths.push_back(1 + i * 37 % 50);
  std::vector<std::int64_t> indices(64);
  std::iota(indices.begin(), indices.end(), std::int64_t{20});
  CHECK(dealt_out(indices, lengths, 1).front() == indices);
  std::vector<std::int64_t> all, tokens;
  for (const std::vector<std::int64_t>& part : dealt_out(indices, lengths, 8)) {
    CHECK(part.size() == 8);
    CHECK(std::ranges::is_sorted(part));
    tokens.push_back(0);
    for (const std::int64_t i : part) tokens.back() += lengths[static_cast<std::size_t>(i)];
    all.insert(all.end(), part.begin(), part.end());
  }
  std::ranges::sort(all);
  CHECK(all == indices);
  CHECK(std::ranges::max(tokens) - std::ranges::min(tokens) <= 8);  // of 200
  const auto few = dealt_out({3, 4}, lengths, 4);
  CHECK(std::ranges::count_if(few, [](const auto& part) { return part.empty(); }) == 2);
}

TEST_CASE("trainer: micro-batches make the step of the whole batch, its budget too, to rounding") {
  for (const Skimming& gate : kDenseAndSkimming) {
    INFO(name(gate));
    const Trained whole = trained(options_of(gate, 6, 1), gate), parts = trained(options_of(gate, 6, 6), gate);
    for (std::size_t i = 0; i < whole.reports.size(); ++i) {
      const StepReport &a = whole.reports[i], &b = parts.reports[i];
      CHECK(b.loss == Approx(a.loss).epsilon(1e-4));
      CHECK(b.task_loss == Approx(a.task_loss).epsilon(1e-4));
      CHECK(b.grad_norm == Approx(a.grad_norm).epsilon(1e-3));
      CHECK(b.mac_share == Approx(a.mac_share).epsilon(1e-4));
      CHECK(b.multipliers.widest == Approx(a.multipliers.widest).epsilon(1e-3).margin(1e-6));
      CHECK(std::vector{b.sentences, b.tokens, b.longest} == std::vector{a.sentences, a.tokens, a.longest});
    }
  }
}

TEST_CASE("trainer: a rank without a micro-batch is refused") {
  class Two final : public Communicator {
   public:
    Two() : Communicator(0, 2) {}
    Device device() const override { return Device::kCpu; }
    std::function<void()> milestone() override {
      return [] {};
    }

   private:
    void run_exchange(std::span<const Message> /*sends*/, std::span<const Message> /*receives*/) override {}
  } two;
  CHECK_THROWS_WITH(trained(options_of(SkimGate::kNone, 1, 1), SkimGate::kNone, two),
                    ContainsSubstring("expected one for each of the 2 ranks at least, got 1"));
}

TEST_CASE("trainer: after 20 steps any number of ranks has the bits of one", "[.ranks]") {
  const std::unique_ptr<Communicator> ranks =
      join_ranks(launch_of_environment(), Device::kCpu, std::chrono::seconds(120));
  for (const Skimming& gate : kDenseAndSkimming) {
    INFO(name(gate) << ", rank " << ranks->rank() << " of " << ranks->size());
    TrainerOptions options = options_of(gate, 5, ranks->size());  // one for each: gradients go while backward runs
    CHECK(trained(options, gate, *ranks).weights == trained(options, gate).weights);
    options = options_of(gate, 20, 8);
    const Trained by_one = trained(options, gate), together = trained(options, gate, *ranks);
    CHECK(together.weights == by_one.weights);
    for (std::size_t i = 0; i < by_one.reports.size(); ++i) {
      const StepReport &a = by_one.reports[i], &b = together.reports[i];
      CHECK(std::vector{b.loss, b.task_loss, b.grad_norm, b.mac_share, b.multipliers.widest} ==
            std::vector{a.loss, a.task_loss, a.grad_norm, a.mac_share, a.multipliers.widest});
    }
  }
}

TEST_CASE("trainer: with the optimizer's state in shards the bits of one rank, and its state as a whole", "[.ranks]") {
  const std::unique_ptr<Communicator> ranks =
      join_ranks(launch_of_environment(), Device::kCpu, std::chrono::seconds(120));
  const ToyTask toy;
  Config config = toy.config(SkimGate::kStaged);
  config.intermediate_size = 512;  // enough parameters for every rank to have some
  TrainerOptions options = options_of(SkimGate::kStaged, 8, 8);
  const auto run = [&](Communicator& its, bool shards, const TrainerState* from, TrainerState& state) {
    BertClassifier model(config);
    model.initialize(1);
    options.shard_optimizer = shards;
    Trainer trainer(model, toy.task, toy.train, options, {}, {}, its);
    if (from != nullptr) trainer.restore(*from);
    while (!trainer.finished()) trainer.step();
    state = trainer.state();
    return weights(model);
  };
  TrainerState by_one, together, ignored;
  const std::vector<float> expected = run(alone(), false, nullptr, by_one);
  CHECK(run(*ranks, true, nullptr, together) == expected);
  CHECK(std::ranges::equal(together.optimizer, by_one.optimizer, [](const NamedTensor& a, const NamedTensor& b) {
    return a.name == b.name && same_bits(a.tensor, b.tensor);
  }));
  // What shards are restored from, they have.
  by_one.steps = 4;
  const std::vector<float> on = run(alone(), false, &by_one, ignored);
  CHECK(run(*ranks, true, &by_one, ignored) == on);
}

TEST_CASE("trainer: what asks one rank to stop is told to all by the next step", "[.ranks]") {
  const std::unique_ptr<Communicator> ranks =
      join_ranks(launch_of_environment(), Device::kCpu, std::chrono::seconds(120));
  const ToyTask toy;
  BertClassifier model(toy.config(SkimGate::kNone));
  model.initialize(1);
  Trainer trainer(model, toy.task, toy.train, options_of(SkimGate::kNone, 4, 8), {}, {}, *ranks);
  CHECK(trainer.step().stop == 0);
  if (ranks->rank() + 1 == ranks->size()) trainer.ask_to_stop(15);
  CHECK(trainer.step().stop == 15);
}

TEST_CASE("cuda trainer: with a communicator of one rank in the recorded step, the bits of the plain one") {
  if (!has_cuda()) return;
  std::string id;
  try {
    id = new_nccl_id();
  } catch (const Error& error) {
    WARN("cuda: skipped, " << error.what());
    return;
  }
  ::setenv(kIdVariable, id.c_str(), 1);
  const std::unique_ptr<Communicator> one =
      join_ranks({.by = Launch::By::kProgram}, Device::kCuda, std::chrono::seconds(60));
  ::unsetenv(kIdVariable);
  CHECK(broadcast(*one, "text") == "text");
  for (const Skimming& gate : kDenseAndSkimming) {
    INFO(name(gate));
    const TrainerOptions options = options_of(gate, 20, 4);
    const Trained by_nccl = trained(options, gate, *one, Device::kCuda);
    CHECK(by_nccl.weights == trained(options, gate, alone(), Device::kCuda).weights);
    TrainerOptions unrecorded = options;
    unrecorded.capture = false;
    TrainerOptions shards = options;
    shards.shard_optimizer = true;
    CHECK(by_nccl.weights == trained(shards, gate, *one, Device::kCuda).weights);
    CHECK(by_nccl.weights == trained(unrecorded, gate, *one, Device::kCuda).weights);
  }
}
