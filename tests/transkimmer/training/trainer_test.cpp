#include "transkimmer/training/trainer.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <set>

#include "data/metrics.h"
#include "tensor/allocator.h"
#include "tensor/backend.h"
#include "tensor/threads.h"
#include "tests/support/catch.h"
#include "tests/support/devices.h"
#include "tests/support/tensors.h"
#include "tests/transkimmer/training/toy_task.h"
#include "tests/transkimmer/training/trainer_runs.h"
#include "transkimmer/training/evaluation.h"
#include "transkimmer/training/option_error.h"

using namespace tk;
using namespace tk::test;

namespace {

std::vector<float> trained(const ToyTask& toy, int threads, const TrainerOptions& more = {}) {
  const int before = num_threads();
  set_num_threads(threads);
  BertClassifier model(toy.config(SkimGate::kStaged));
  model.initialize(1);
  TrainerOptions options = more;
  options.max_steps = 12;
  options.learning_rate = 1e-3;
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
  const TrainerOptions others = {.weight_decay = 0.1, .ema_decay = 0.9, .freeze = {"embeddings", "encoder.layer.0"}};
  CHECK(trained(toy, 1, others) == trained(toy, 2, others));
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
  const Evaluation evaluation = evaluate(model, toy.task, toy.dev, {.exact_transforms = false});
  CHECK(evaluation.mac_share() < 0.75);
  CHECK(evaluation.executed_macs == Approx(evaluation.counted_macs));
}

TEST_CASE("trainer: where budgets vary one model keeps each of them by its threshold") {
  const ToyTask toy;
  BertClassifier model(toy.config(SkimGate::kStaged));
  model.initialize(1);
  TrainerOptions options = few_steps(400, 2e-3);
  options.skim_learning_rate = 1e-2;
  options.skim_widest = 0.8;
  options.skim_target = 0.4;
  Trainer trainer(model, toy.task, toy.train, options);
  std::set<double> budgets;
  while (!trainer.finished()) {
    const StepReport report = trainer.step();
    if (report.step > 200) budgets.insert(report.budget);  // the ramp is over
  }
  CHECK(budgets.size() == 200);
  CHECK(*budgets.begin() >= 0.4);
  CHECK(*budgets.begin() < 0.41);
  CHECK(*budgets.rbegin() <= 0.8);
  CHECK(*budgets.rbegin() > 0.75);
  const auto share_at = [&](double speedup) {
    model.set_skim_threshold(training_threshold(options, speedup));
    return evaluate(model, toy.task, toy.dev, {.exact_transforms = false}).mac_share();
  };
  CHECK(training_threshold(options, 1.25) == 0);
  CHECK(training_threshold(options, 2.5) == kTightestThreshold);
  CHECK(share_at(2.5) < 0.55);
  CHECK(share_at(1.25) > share_at(2.5) + 0.15);
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

TEST_CASE("trainer: its dropout stands in for that of the configuration, everywhere in the model") {
  const ToyTask toy;
  const auto losses = [&](double configured, std::optional<double> asked) {
    Config config = toy.config(SkimGate::kStaged);
    config.hidden_dropout_prob = config.attention_probs_dropout_prob = configured;
    BertClassifier model(config);
    model.initialize(1);
    TrainerOptions options = few_steps(4, 1e-3);
    options.dropout = asked;
    Trainer trainer(model, toy.task, toy.train, options);
    std::vector<double> result;
    while (!trainer.finished()) result.push_back(trainer.step().loss);
    return result;
  };
  CHECK(losses(0.1, 0.0) == losses(0.0, std::nullopt));
  CHECK(losses(0.1, 0.2) == losses(0.2, std::nullopt));
  CHECK(losses(0.1, 0.2) != losses(0.1, std::nullopt));
}

TEST_CASE("trainer: an example without a label, or with one that the task lacks, is refused before the first step") {
  ToyTask toy;
  BertClassifier model(toy.config(SkimGate::kNone));
  toy.train[3].label = -1;
  CHECK_THROWS_WITH((Trainer(model, toy.task, toy.train, {})), ContainsSubstring("has no label"));
  toy.train[3].label = 2;
  CHECK_THROWS_WITH((Trainer(model, toy.task, toy.train, {})), ContainsSubstring("label 2 is none of the 2 of sst2"));
}

TEST_CASE("trainer: rows without a label learn from the teacher alone, and labelled ones from both") {
  ToyTask toy;
  toy.train.resize(64);
  const Tensor teacher = full({64, 2}, 0.25);
  // The losses and weights of three steps of all rows, in their order.
  const auto learnt = [&](const Task& task, std::int64_t outputs, double weight, const auto& change) {
    ToyTask changed = toy;
    for (TokenizedExample& example : changed.train) change(example);
    Config config = toy.config(SkimGate::kNone);
    if (outputs == 1) config.labels = {"LABEL_0"};
    config.hidden_dropout_prob = config.attention_probs_dropout_prob = 0;
    BertClassifier model(config);
    model.initialize(1);
    TrainerOptions options = few_steps(3, 1e-3);
    options.order = BatchOrder::kSequential;
    options.distill_weight = weight;
    Trainer trainer(model, task, changed.train, options, teacher.narrow(1, 0, outputs).contiguous());
    std::vector<StepReport> reports;
    while (!trainer.finished()) reports.push_back(trainer.step());
    return std::pair(reports, weights(model));
  };
  Task regression = toy.task;
  regression.kind = TaskKind::kRegression;
  regression.metrics = {"pearson", "spearmanr"};
  for (const auto& [task, outputs] : {std::pair(toy.task, std::int64_t{2}), std::pair(regression, std::int64_t{1})}) {
    INFO(outputs << " outputs");
    const auto same = [](TokenizedExample&) {};
    const auto none = [](TokenizedExample& example) { example.label = -1; };
    const auto odd = [](TokenizedExample& example) {
      if (example.id % 2 == 1) example.label = -1;
    };
    // Without any label the task's loss is 0 and what is left is the teacher's.
    const auto [of_none, weights_of_none] = learnt(task, outputs, 0.7, none);
    const auto [of_teacher, weights_of_teacher] = learnt(task, outputs, 1, same);
    CHECK(of_none[0].task_loss == 0);
    CHECK(of_none[0].loss == Approx(0.7 * of_teacher[0].loss));
    // Of half the rows the task's loss is the mean over these.
    const auto [of_half, weights_of_half] = learnt(task, outputs, 0.7, odd);
    const auto [of_all, weights_of_all] = learnt(task, outputs, 0.7, same);
    CHECK(of_half[0].task_loss != of_all[0].task_loss);
    CHECK(of_half[0].loss - 0.3 * of_half[0].task_loss == Approx(of_all[0].loss - 0.3 * of_all[0].task_loss));
    CHECK(weights_of_half != weights_of_all);
    CHECK(learnt(task, outputs, 0.7, odd).second == weights_of_half);
  }
}

TEST_CASE("trainer: an epoch has the rows that it is told, as often as it is told") {
  ToyTask toy;
  const auto losses = [&](const std::vector<TokenizedExample>& examples, const std::vector<std::int64_t>& epoch) {
    BertClassifier model(toy.config(SkimGate::kNone));
    model.initialize(1);
    TrainerOptions options = few_steps(6, 1e-3);
    Trainer trainer(model, toy.task, examples, options, {}, epoch);
    CHECK(trainer.steps_per_epoch() == 2);
    std::vector<double> result;
    while (!trainer.finished()) result.push_back(trainer.step().loss);
    return result;
  };
  std::vector<std::int64_t> epoch;
  std::vector<TokenizedExample> rows;
  for (std::int64_t i = 0; i < 40; ++i) {
    epoch.push_back(i * 7 % 30);
    rows.push_back(toy.train[epoch.back()]);
  }
  CHECK(losses(toy.train, epoch) == losses(rows, {}));
  CHECK_THROWS_WITH(losses(toy.train, {256}), ContainsSubstring("index 256 is out of range for 256 examples"));
}

TEST_CASE("trainer: options are refused by their names") {
  const ToyTask toy;
  BertClassifier model(toy.config(SkimGate::kStaged));
  const auto refused = [&](TrainerOptions options) -> std::string {
    try {
      Trainer(model, toy.task, toy.train, options);
      return "";
    } catch (const OptionError& error) {
      return error.option();
    }
  };
  CHECK(refused({.epochs = 0}) == "epochs");
  CHECK(refused({.batch_size = 0}) == "batch_size");
  CHECK(refused({.dropout = 1.0}) == "dropout");
  CHECK(refused({.skim_target = 1.5}) == "skim_target");
  CHECK(refused({.skim_target = 0.5, .skim_coefficient = 1.0}) == "skim_coefficient");
  CHECK(refused({.skim_widest = 0.5}) == "skim_widest");
  CHECK(refused({.skim_target = 0.5, .skim_widest = 0.5}) == "skim_widest");
  CHECK(refused({.skim_target = 0.5, .skim_widest = 1.5}) == "skim_widest");
  CHECK(refused({.skim_temperature = 0}) == "skim_temperature");
  CHECK(refused({.skim_temperature_end = 0}) == "skim_temperature_end");
  CHECK(refused({.skim_estimator = "rloo"}) == "skim_estimator");
  CHECK(refused({.skim_estimator = "gr:0"}) == "skim_estimator");
  CHECK(refused({.skim_noise_fade = 0.95}) == "skim_noise_fade");
  CHECK(refused({.distill_weight = 2}) == "distill_weight");
  CHECK(refused({.label_smoothing = 1}) == "label_smoothing");
  CHECK(refused({.learning_rate = 1e-7, .schedule = LearningRateSchedule::kPolynomial}) == "learning_rate");
}

TEST_CASE("trainer: with other estimators of the gates, soft ones too, the budget pulls the cost down to it") {
  const ToyTask toy;
  for (const char* estimator : {"gs", "gr:2", "zgr"}) {
    BertClassifier model(toy.config(SkimGate::kStaged));
    model.initialize(1);
    TrainerOptions options = few_steps(120, 2e-3);
    options.skim_learning_rate = 1e-2;
    options.skim_target = 0.6;
    options.skim_estimator = estimator;
    Trainer trainer(model, toy.task, toy.train, options);
    StepReport last;
    while (!trainer.finished()) last = trainer.step();
    const Evaluation evaluation = evaluate(model, toy.task, toy.dev, {.exact_transforms = false});
    INFO(estimator << ": " << last.mac_share << " in training, " << evaluation.mac_share());
    CHECK(last.mac_share < 0.8);
    CHECK(evaluation.mac_share() < 0.85);
  }
}

TEST_CASE("trainer: the gates' temperature goes from the first to the last, and the predictors learn by it") {
  const ToyTask toy;
  const auto predictors_after = [&](double first, std::optional<double> last) {
    BertClassifier model(toy.config(SkimGate::kStaged));
    model.initialize(1);
    TrainerOptions options = few_steps(3, 2e-3);
    options.warmup = 0;
    options.dropout = 0;
    options.skim_target = 0.6;
    options.skim_temperature = first;
    options.skim_temperature_end = last;
    Trainer trainer(model, toy.task, toy.train, options);
    std::vector<std::vector<float>> all;
    while (!trainer.finished()) {
      trainer.step();
      all.push_back(weights(model));
    }
    return all;
  };
  const auto constant = predictors_after(1, {}), falling = predictors_after(1, 0.1);
  CHECK(falling[0] == constant[0]);
  CHECK(falling[1] != constant[1]);
  CHECK(predictors_after(1, 1) == constant);
  CHECK(predictors_after(0.1, {})[0] != constant[0]);
}

TEST_CASE("trainer: the average is shown until the next step, and what is trained does not see it") {
  const ToyTask toy;
  BertClassifier plain(toy.config(SkimGate::kNone)), averaged(toy.config(SkimGate::kNone));
  for (BertClassifier* model : {&plain, &averaged}) model->initialize(1);
  TrainerOptions options = few_steps(6, 1e-3);
  Trainer without(plain, toy.task, toy.train, options);
  options.ema_decay = 0.9;
  Trainer with(averaged, toy.task, toy.train, options);
  std::vector<float> mean = weights(averaged);
  for (int step = 1; step <= 6; ++step) {
    CHECK(without.step().loss == with.step().loss);
    CHECK(weights(averaged) == weights(plain));
    const std::vector<float> now = weights(plain);
    const float share = 1 - (1.0f + static_cast<float>(step)) / (10.0f + static_cast<float>(step));
    for (std::size_t i = 0; i < mean.size(); ++i) mean[i] += share * (now[i] - mean[i]);
    if (step % 2 == 0) continue;
    with.show_average();
    const std::vector<float> shown = weights(averaged);
    double difference = 0;
    for (std::size_t i = 0; i < mean.size(); ++i) {
      difference = std::max(difference, static_cast<double>(std::abs(shown[i] - mean[i])));
    }
    CHECK(difference < 1e-6);
    CHECK(shown != weights(plain));
  }
}

TEST_CASE("trainer: frozen parameters stay, and the others' gradients are those of a model that is not frozen") {
  const ToyTask toy;
  for (const Skimming& gate : kDenseAndSkimming) {
    for (const std::vector<std::string>& frozen : std::vector<std::vector<std::string>>{
             {"embeddings"},
             {"embeddings", "encoder.layer.0"},
             {"bert"},
             {"classifier"},
             {"attention.self"},
             {"LayerNorm"},
             {"output.dense", "word_embeddings"},
             {"bias"},
             {"encoder.layer.1.intermediate.dense.weight", "position_embeddings", "token_type_embeddings.weight"}}) {
      INFO(name(gate) << ", frozen " << frozen.front());
      BertClassifier whole(toy.config(gate)), part(toy.config(gate));
      for (BertClassifier* model : {&whole, &part}) model->initialize(1);
      TrainerOptions options = few_steps(1, 1e-3);  // without decay and clipping an element's step is its gradient's
      options.max_grad_norm = 0;
      if (gate != SkimGate::kNone) options.skim_target = 0.5;
      Trainer(whole, toy.task, toy.train, options).step();
      options.freeze = frozen;
      const std::vector<NamedTensor> before = cloned(named_values(part.parameters()));
      Trainer trainer(part, toy.task, toy.train, options);
      trainer.step();
      const std::vector<NamedTensor> after = named_values(part.parameters()), other = named_values(whole.parameters());
      std::size_t stayed = 0;
      for (const NamedParameter& named : part.parameters()) {
        for (const std::string& parameter : named.names) {
          INFO(parameter);
          const auto of = [&](const std::vector<NamedTensor>& tensors) {
            return std::ranges::find(tensors, parameter, &NamedTensor::name)->tensor;
          };
          const bool is_frozen = !named.parameter->trainable();
          CHECK(same_bits(of(after), of(is_frozen ? before : other)));
          stayed += is_frozen ? 1 : 0;
        }
      }
      CHECK(stayed > 0);
      for (const NamedTensor& named : trainer.optimizer().state()) {
        CHECK_FALSE(named.name.find(concat(frozen.front(), '.')) != std::string::npos);
      }
    }
  }
}

TEST_CASE("trainer: names that no parameter has, and all of them, are not frozen") {
  const ToyTask toy;
  BertClassifier model(toy.config(SkimGate::kNone));
  TrainerOptions options;
  options.freeze = {"layer.7"};
  CHECK_THROWS_WITH((Trainer(model, toy.task, toy.train, options)),
                    ContainsSubstring("freeze: no parameter has layer.7 in its name, such as "));
  options.freeze = {"bert", "classifier"};
  CHECK_THROWS_WITH((Trainer(model, toy.task, toy.train, options)), ContainsSubstring("no parameter is left to train"));
}

TEST_CASE("trainer: the learning rate follows its schedule") {
  const ToyTask toy;
  for (const Choice<LearningRateSchedule>& kind : choices(LearningRateSchedule{})) {
    CAPTURE(kind.name);
    BertClassifier model(toy.config(SkimGate::kNone));
    model.initialize(1);
    TrainerOptions options = few_steps(6, 1e-3);
    options.batch_size = 4;
    options.warmup = 2;
    options.schedule = kind.value;
    Trainer trainer(model, toy.task, toy.train, options);
    for (std::int64_t step = 0; step < 6; ++step) {
      const double factor = schedule_factor({kind.value, 2, 6, 1e-3}, step);
      CHECK(trainer.step().learning_rate == Approx(1e-3 * factor).epsilon(1e-12));
    }
  }
}

TEST_CASE("trainer: the task's loss is linear in the share by which targets are smoothed") {
  const ToyTask toy;
  const auto first_loss = [&](double smoothing) {
    BertClassifier model(toy.config(SkimGate::kNone));
    model.initialize(1);
    TrainerOptions options = few_steps(1, 1e-3);
    options.label_smoothing = smoothing;
    return Trainer(model, toy.task, toy.train, options).step().task_loss;
  };
  const double none = first_loss(0), some = first_loss(0.2), more = first_loss(0.4);
  CHECK(some != none);
  CHECK(more - some == Approx(some - none).margin(1e-6));
}

TEST_CASE("trainer: a loss that is not finite is said with its step and the rows of its batch") {
  const ToyTask toy;
  BertClassifier model(toy.config(SkimGate::kNone));
  model.initialize(1);
  TrainerOptions options = few_steps(4, 1e30);
  options.order = BatchOrder::kSequential;
  options.batch_size = 4;
  Trainer trainer(model, toy.task, toy.train, options);
  CHECK_THROWS_WITH(
      [&] {
        while (!trainer.finished()) trainer.step();
      }(),
      ContainsSubstring("at step 2, whose batch has the rows 4, 5, 6, 7 (counted from 0); lower"));
}

namespace {

struct Trained {
  std::vector<float> weights;
  std::vector<StepReport> reports;
  HostCalls of_last_step;
};

// Ten steps over two shapes of batches with everything that a step can have.
Trained trained_on_cuda(const ToyTask& toy, const Skimming& gate, DType dtype, bool capture, bool ahead) {
  BertClassifier model(toy.config(gate));
  model.initialize(1);
  model.place(Device::kCuda, dtype);
  TrainerOptions options = few_steps(10, 1e-3);
  options.capture = capture;
  options.label_smoothing = 0.1;
  if (gate == SkimGate::kNone) options.schedule = LearningRateSchedule::kCosine;
  if (gate != SkimGate::kNone) options.skim_target = 0.5;
  if (gate == kStagedFree) options.skim_estimator = "gr:3";  // draws more noise
  if (gate != SkimGate::kLayer) options.ema_decay = 0.8;
  if (gate == SkimGate::kStaged) options.freeze = {"embeddings", "encoder.layer.0.output"};
  const auto examples = static_cast<std::int64_t>(toy.train.size());
  Trainer trainer(model, toy.task, toy.train, options, full({examples, model.config().num_labels()}, 0.25));
  Trained result;
  while (!trainer.finished()) {
    const HostCalls before = backend(Device::kCuda).host_calls();
    result.reports.push_back(trainer.step(ahead));
    result.of_last_step = backend(Device::kCuda).host_calls() - before;
    if (trainer.steps_done() != 6 || trainer.is_ahead()) continue;
    trainer.show_average();  // as before an evaluation, which reads copies in bfloat16, too
    evaluate(model, toy.task, toy.dev);
  }
  CHECK_FALSE(trainer.is_ahead());
  trainer.show_average();
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
    CHECK(a.reports[i].multipliers.widest == b.reports[i].multipliers.widest);
  }
}

}  // namespace

TEST_CASE("cuda trainer: a replayed step equals an eager one to the bit, ahead or not, in every run") {
  if (!has_cuda()) return;
  ToyTask toy;
  toy.train.resize(80);  // batches of 32, 32 and 16
  for (const Skimming& gate : kDenseAndSkimming) {
    for (const DType dtype : {DType::kFloat32, DType::kBFloat16}) {
      INFO(name(gate) << ' ' << dtype);
      const Trained eager = trained_on_cuda(toy, gate, dtype, false, false);
      check_same(trained_on_cuda(toy, gate, dtype, false, false), eager);
      check_same(trained_on_cuda(toy, gate, dtype, true, false), eager);
      check_same(trained_on_cuda(toy, gate, dtype, true, true), eager);
    }
  }
  for (std::size_t i = 0; i < toy.train.size(); i += 3) toy.train[i].label = -1;
  const Trained eager = trained_on_cuda(toy, SkimGate::kStaged, DType::kFloat32, false, false);
  check_same(trained_on_cuda(toy, SkimGate::kStaged, DType::kFloat32, true, true), eager);
}

TEST_CASE("cuda trainer: a replayed step is one call beside its batch and its numbers") {
  if (!has_cuda()) return;
  ToyTask toy;
  toy.train.resize(32);  // one batch, the same every epoch but for its order
  const HostCalls calls = trained_on_cuda(toy, SkimGate::kStaged, DType::kBFloat16, true, false).of_last_step;
  CHECK(calls.replays == 1);
  CHECK(calls.launches == 0);
  CHECK(calls.waits == 0);
  CHECK(calls.copies_in == 2);   // the step's settings, and the batch with the teacher's logits
  CHECK(calls.copies_out == 4);  // loss, task loss, cost, state
}

TEST_CASE("cuda trainer: ten losses near the CPU's") {
  if (!has_cuda()) return;
  const ToyTask toy;
  for (const Skimming& gate : {Skimming(SkimGate::kNone), Skimming(SkimGate::kStaged), kStagedFree}) {
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
