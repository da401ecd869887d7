#include "transkimmer/training/trainer.h"

#include <memory>

#include "tensor/allocator.h"
#include "tensor/backend.h"
#include "tensor/threads.h"
#include "tests/support/catch.h"
#include "tests/support/devices.h"
#include "tests/transkimmer/training/toy_task.h"
#include "transkimmer/training/evaluation.h"

using namespace tk;
using namespace tk::test;

namespace {

TrainerOptions few_steps(std::int64_t steps, double learning_rate) {
  TrainerOptions options;
  options.max_steps = steps;
  options.learning_rate = learning_rate;
  return options;
}

std::vector<float> weights(const BertClassifier& model) {
  std::vector<float> all;
  for (const NamedTensor& named : named_values(model.parameters())) {
    const std::vector<float> some = named.tensor.to_vector<float>();
    all.insert(all.end(), some.begin(), some.end());
  }
  return all;
}

std::vector<float> trained(const ToyTask& toy, int threads) {
  const int before = num_threads();
  set_num_threads(threads);
  BertClassifier model(toy.config(SkimGate::kStaged));
  model.initialize(1);
  TrainerOptions options = few_steps(12, 1e-3);
  options.warmup = 0.06;
  options.skim_target = 0.5;
  Trainer trainer(model, toy.task, toy.train, options);
  while (!trainer.finished()) trainer.step();
  set_num_threads(before);
  return weights(model);
}

}  // namespace

TEST_CASE("trainer: the same seed gives the same bits on every run and with every thread count") {
  const ToyTask toy;
  const std::vector<float> first = trained(toy, 2);
  CHECK(trained(toy, 2) == first);
  CHECK(trained(toy, 1) == first);
}

TEST_CASE("trainer: the loss falls, and the budget pulls the cost down to it") {
  const ToyTask toy;
  BertClassifier model(toy.config(SkimGate::kStaged));
  model.initialize(1);
  TrainerOptions options = few_steps(240, 2e-3);
  options.skim_learning_rate = 1e-2;
  options.skim_target = 0.6;
  Trainer trainer(model, toy.task, toy.train, options);
  const StepReport first = trainer.step();
  StepReport last = first;
  while (!trainer.finished()) last = trainer.step();
  CHECK(last.task_loss < 0.8 * first.task_loss);
  CHECK(last.budget == Approx(0.6));
  CHECK(last.mac_share < 0.7);
  const Evaluation evaluation = evaluate(model, toy.task, toy.dev);
  CHECK(evaluation.mac_share() < 0.75);
  CHECK(evaluation.executed_macs == Approx(evaluation.counted_macs));
}

TEST_CASE("trainer: a step allocates nothing from the system once its shape was seen") {
  const int threads = num_threads();
  set_num_threads(2);
  ToyTask toy;
  toy.train.resize(32);  // one batch, the same every epoch but for its order
  BertClassifier model(toy.config(SkimGate::kStaged));
  model.initialize(1);
  TrainerOptions options = few_steps(8, 5e-5);
  options.order = BatchOrder::kSequential;
  options.skim_target = 0.5;
  Trainer trainer(model, toy.task, toy.train, options);
  trainer.step();
  trainer.step();
  const std::int64_t before = allocator_stats(Device::kCpu).system_allocations;
  while (!trainer.finished()) trainer.step();
  CHECK(allocator_stats(Device::kCpu).system_allocations == before);
  set_num_threads(threads);
}

TEST_CASE("trainer: a teacher's logits pull the student to them, and options that contradict the model are refused") {
  const ToyTask toy;
  BertClassifier model(toy.config(SkimGate::kNone));
  model.initialize(1);
  const Tensor teacher = zeros({256, 2});
  for (std::int64_t i = 0; i < 256; ++i) teacher.data<float>()[2 * i] = 3;  // says class 0, whatever the label
  TrainerOptions options = few_steps(40, 2e-3);
  options.distill_weight = 1;
  Trainer trainer(model, toy.task, toy.train, options, teacher);
  while (!trainer.finished()) trainer.step();
  const Evaluation evaluation = evaluate(model, toy.task, toy.dev);
  for (const double prediction : predictions_from_logits(toy.task, evaluation.logits)) CHECK(prediction == 0);

  options.skim_target = 0.5;
  CHECK_THROWS_WITH((Trainer(model, toy.task, toy.train, options)), ContainsSubstring("no skim predictors"));
  CHECK_THROWS_WITH((Trainer(model, toy.task, {}, TrainerOptions())), ContainsSubstring("no examples"));
}

namespace {

struct Trained {
  std::vector<float> weights;
  std::vector<StepReport> reports;
  HostCalls of_last_step;
};

// Ten steps over two shapes of batches with everything that a step can have.
Trained trained_on_cuda(const ToyTask& toy, SkimGate gate, DType dtype, bool capture, bool ahead) {
  BertClassifier model(toy.config(gate));
  model.initialize(1);
  model.place(Device::kCuda, dtype);
  TrainerOptions options = few_steps(10, 1e-3);
  options.capture = capture;
  if (gate != SkimGate::kNone) options.skim_target = 0.5;
  const auto examples = static_cast<std::int64_t>(toy.train.size());
  Trainer trainer(model, toy.task, toy.train, options, full({examples, model.config().num_labels()}, 0.25));
  Trained result;
  while (!trainer.finished()) {
    const HostCalls before = backend(Device::kCuda).host_calls();
    result.reports.push_back(trainer.step(ahead));
    result.of_last_step = backend(Device::kCuda).host_calls() - before;
  }
  CHECK_FALSE(trainer.is_ahead());
  result.weights = weights(model);
  return result;
}

void check_same(const Trained& a, const Trained& b) {
  CHECK(a.weights == b.weights);
  REQUIRE(a.reports.size() == b.reports.size());
  for (std::size_t i = 0; i < a.reports.size(); ++i) {
    INFO("step " << i + 1);
    CHECK(a.reports[i].step == b.reports[i].step);
    CHECK(a.reports[i].loss == b.reports[i].loss);
    CHECK(a.reports[i].task_loss == b.reports[i].task_loss);
    CHECK(a.reports[i].grad_norm == b.reports[i].grad_norm);
    CHECK(a.reports[i].mac_share == b.reports[i].mac_share);
    CHECK(a.reports[i].learning_rate == b.reports[i].learning_rate);
    CHECK(a.reports[i].budget == b.reports[i].budget);
    CHECK(a.reports[i].multiplier == b.reports[i].multiplier);
  }
}

}  // namespace

TEST_CASE("cuda trainer: a replayed step equals an eager one to the bit, ahead or not, in every run") {
  if (!has_cuda()) return;
  ToyTask toy;
  toy.train.resize(80);  // batches of 32, 32 and 16
  for (const SkimGate gate : {SkimGate::kNone, SkimGate::kLayer, SkimGate::kStaged}) {
    for (const DType dtype : {DType::kFloat32, DType::kBFloat16}) {
      INFO(name(gate) << ' ' << dtype);
      const Trained eager = trained_on_cuda(toy, gate, dtype, false, false);
      check_same(trained_on_cuda(toy, gate, dtype, false, false), eager);
      check_same(trained_on_cuda(toy, gate, dtype, true, false), eager);
      check_same(trained_on_cuda(toy, gate, dtype, true, true), eager);
    }
  }
}

TEST_CASE("cuda trainer: a replayed step is one call beside its batch and its numbers") {
  if (!has_cuda()) return;
  ToyTask toy;
  toy.train.resize(32);  // one batch, the same every epoch but for its order
  const HostCalls calls = trained_on_cuda(toy, SkimGate::kStaged, DType::kBFloat16, true, false).of_last_step;
  CHECK(calls.replays == 1);
  CHECK(calls.launches == 0);
  CHECK(calls.waits == 0);
  CHECK(calls.copies_in == 3);   // the step's settings, the batch, the teacher's logits
  CHECK(calls.copies_out == 4);  // loss, task loss, cost, state
}

TEST_CASE("cuda trainer: ten losses near the CPU's") {
  if (!has_cuda()) return;
  const ToyTask toy;
  for (const SkimGate gate : {SkimGate::kNone, SkimGate::kStaged}) {
    const auto losses = [&](Device device) {
      BertClassifier model(toy.config(gate));
      model.initialize(1);
      model.place(device);
      TrainerOptions options = few_steps(10, 1e-4);
      if (gate != SkimGate::kNone) options.skim_target = 0.5;
      Trainer trainer(model, toy.task, toy.train, options);
      std::vector<double> result;
      while (!trainer.finished()) result.push_back(trainer.step().loss);
      return result;
    };
    const std::vector<double> here = losses(Device::kCpu), there = losses(Device::kCuda);
    for (std::size_t i = 0; i < here.size(); ++i) CHECK(there[i] == Approx(here[i]).epsilon(1e-3));
  }
}
