#include "transkimmer/training/trainer.h"

#include <algorithm>
#include <memory>

#include "tests/support/catch.h"
#include "tests/support/devices.h"
#include "tests/transkimmer/training/toy_task.h"
#include "tests/transkimmer/training/trainer_runs.h"

using namespace tk;
using namespace tk::test;

namespace {

// Steps begin to end of a run of eight with a budget and a teacher, two epochs of four; from the state and the weights
// that a run left after `begin` of them, or from the start.
std::vector<float> gone_on(const ToyTask& toy, Device device, const Skimming& gate, std::int64_t begin,
                           TrainerState& state, std::vector<NamedTensor>& saved) {
  BertClassifier model(toy.config(gate));
  model.initialize(1);
  model.place(device, device == Device::kCpu ? DType::kFloat32 : DType::kBFloat16);
  TrainerOptions options = few_steps(8, 1e-3);
  options.warmup = 2;
  options.label_smoothing = 0.1;
  if (gate == SkimGate::kNone) options.schedule = LearningRateSchedule::kCosine;
  if (gate != SkimGate::kNone) options.skim_target = 0.5;
  if (gate == kStagedFree) options.skim_estimator = "gr:3";  // draws more noise
  if (gate != SkimGate::kLayer) options.ema_decay = 0.8;
  if (gate == SkimGate::kStaged) options.freeze = {"embeddings"};
  if (gate == SkimGate::kLayer) options.skim_widest = 0.9;
  if (gate != SkimGate::kStaged) options.skim_temperature_end = 0.2;
  const auto examples = static_cast<std::int64_t>(toy.train.size());
  Trainer trainer(model, toy.task, toy.train, options, full({examples, model.config().num_labels()}, 0.25));
  if (begin > 0) {
    const std::vector<NamedTensor> values = named_values(model.parameters());
    for (std::size_t i = 0; i < values.size(); ++i) values[i].tensor.copy_from(saved[i].tensor);
    trainer.restore(state);
    CHECK(trainer.steps_done() == begin);
  }
  while (!trainer.finished()) {
    const StepReport report = trainer.step();
    if (begin > 0 || report.step != 5) continue;
    if (gate != SkimGate::kStaged) trainer.show_average();  // as a checkpoint has it; else as they are
    state = trainer.state();
    saved.clear();
    for (const NamedTensor& named : named_values(model.parameters())) {
      saved.push_back({named.name, named.tensor.to(Device::kCpu).clone()});
    }
  }
  trainer.show_average();
  return weights(model);
}

void check_going_on(Device device) {
  ToyTask toy;
  toy.train.resize(120);
  for (const Skimming& gate : kDenseAndSkimming) {
    INFO(name(gate));
    TrainerState state;
    std::vector<NamedTensor> saved;
    const std::vector<float> whole = gone_on(toy, device, gate, 0, state, saved);
    CHECK(state.steps == 5);
    CHECK(gone_on(toy, device, gate, 5, state, saved) == whole);
  }
}

}  // namespace

TEST_CASE("trainer: restored after a step it goes on with the same bits") { check_going_on(Device::kCpu); }

TEST_CASE("cuda trainer: restored after a step it goes on with the same bits") {
  if (has_cuda()) check_going_on(Device::kCuda);
}

TEST_CASE("trainer: what is reset begins anew at the step at which it goes on") {
  const ToyTask toy;
  TrainerOptions options = few_steps(20, 1e-3);
  options.batch_size = 16;
  options.order = BatchOrder::kRandom;
  options.warmup = 0.2;
  options.dropout = 0;
  options.skim_target = 0.5;
  const auto model_at_ten = [&](TrainerState& state) {
    auto model = std::make_unique<BertClassifier>(toy.config(SkimGate::kStaged));
    model->initialize(1);
    Trainer trainer(*model, toy.task, toy.train, options);
    while (trainer.steps_done() < 10) trainer.step();
    state = trainer.state();
    return model;
  };
  const auto reports = [&](const TrainerState& state, BertClassifier& model) {
    Trainer trainer(model, toy.task, toy.train, options);
    if (state.steps > 0) trainer.restore(state);
    std::vector<StepReport> all;
    while (all.size() < 5) all.push_back(trainer.step());
    return all;
  };
  TrainerState state;
  const auto kept = model_at_ten(state);
  const std::vector<StepReport> as_was = reports(state, *kept);

  // A schedule that begins anew is that of a run with as many steps as are left, and so is its budget.
  TrainerState reset = state;
  const auto by_schedule = model_at_ten(reset);
  reset.reset_schedule();
  const std::vector<StepReport> scheduled = reports(reset, *by_schedule);
  CHECK(scheduled.front().step == 11);
  CHECK(scheduled.front().learning_rate == 0);
  CHECK(scheduled[2].learning_rate == 1e-3);  // warm-up over 0.2 of ten steps
  CHECK(scheduled.front().budget == 1);
  CHECK(scheduled[4].budget == Approx(0.5));
  CHECK(as_was.front().learning_rate > 0);
  CHECK(scheduled.front().task_loss == as_was.front().task_loss);  // same weights, same rows

  // The first epoch's rows again, in their order.
  reset = state;
  const auto by_data = model_at_ten(reset);
  reset.reset_data();
  BertClassifier fresh(toy.config(SkimGate::kStaged));
  fresh.initialize(1);
  const std::vector<StepReport> first = reports({}, fresh), again = reports(reset, *by_data);
  for (std::size_t i = 0; i < first.size(); ++i) CHECK(again[i].tokens == first[i].tokens);
  CHECK_FALSE(std::ranges::equal(as_was, first, {}, &StepReport::tokens, &StepReport::tokens));

  // Weights move as by a new optimizer: at the first step by the learning rate.
  reset = state;
  const auto by_optimizer = model_at_ten(reset);
  reset.reset_optimizer();
  const std::vector<float> before = weights(*by_optimizer);
  Trainer trainer(*by_optimizer, toy.task, toy.train, options);
  trainer.restore(reset);
  const double rate = trainer.step().learning_rate;
  const std::vector<float> after = weights(*by_optimizer);
  std::size_t by_rate = 0, moved = 0;
  for (std::size_t i = 0; i < before.size(); ++i) {
    const double distance = std::abs(double{after[i]} - double{before[i]});
    moved += distance > 0 ? 1 : 0;
    by_rate += std::abs(distance / rate - 1) < 0.01 ? 1 : 0;
  }
  CHECK(by_rate > moved / 2);
  // And a run that is stopped after a reset goes on with the same bits.
  const TrainerState later = trainer.state();
  CHECK(later.starts.optimizer == 10);
  BertClassifier second(toy.config(SkimGate::kStaged));
  copy_by_name("test", named_values(second.parameters()), cloned(named_values(by_optimizer->parameters())));
  Trainer resumed(second, toy.task, toy.train, options);
  resumed.restore(later);
  while (!resumed.finished()) {
    resumed.step();
    trainer.step();
  }
  CHECK(weights(second) == weights(*by_optimizer));
}

TEST_CASE("trainer: after a step that failed there is no state, and no next step") {
  const ToyTask toy;
  BertClassifier model(toy.config(SkimGate::kNone));
  model.initialize(1);
  Trainer trainer(model, toy.task, toy.train, few_steps(4, 1e30));
  CHECK_THROWS_WITH(
      [&] {
        while (!trainer.finished()) trainer.step();
      }(),
      ContainsSubstring("the loss is"));
  CHECK(trainer.is_ahead());
  CHECK_THROWS_WITH(trainer.state(), ContainsSubstring("its state is none of a step"));
  CHECK_THROWS_WITH(trainer.step(), ContainsSubstring("failed; nothing goes on from there"));
}

TEST_CASE("trainer: a state is a copy that later steps leave alone") {
  const ToyTask toy;
  BertClassifier model(toy.config(SkimGate::kNone));
  model.initialize(1);
  Trainer trainer(model, toy.task, toy.train, few_steps(4, 1e-3));
  trainer.step();
  const TrainerState state = trainer.state();
  const std::vector<float> before = state.optimizer.front().tensor.to_vector<float>();
  trainer.step();
  CHECK(state.optimizer.front().tensor.to_vector<float>() == before);
}

TEST_CASE("trainer: a state that does not fit is refused") {
  const ToyTask toy;
  BertClassifier model(toy.config(SkimGate::kNone));
  Trainer trainer(model, toy.task, toy.train, few_steps(4, 1e-3));
  TrainerState state = trainer.state();
  state.steps = 5;
  CHECK_THROWS_WITH(trainer.restore(state), ContainsSubstring("cannot go on after step 5 of 4"));
  state.steps = 1;
  state.optimizer.pop_back();
  CHECK_THROWS_AS(trainer.restore(state), Error);
  trainer.step();
  CHECK_THROWS_WITH(trainer.restore(trainer.state()), ContainsSubstring("restored before the first"));
}
