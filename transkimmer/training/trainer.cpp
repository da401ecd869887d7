#include "transkimmer/training/trainer.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "autograd/ops/elementwise.h"
#include "autograd/ops/optim.h"
#include "nn/loss.h"
#include "nn/optim/schedule.h"
#include "transkimmer/training/inference.h"

namespace tk {
namespace {

// Before the optimizer moves the model's parameters.
const TrainerOptions& checked(const BertClassifier& model, const TrainerOptions& options) {
  TK_CHECK(options.epochs > 0 || options.max_steps > 0, "--num_train_epochs: expected a number above 0, got ",
           options.epochs);
  TK_CHECK(!(options.skim_target && options.skim_coefficient),
           "--skim_coefficient: a fixed weight and a budget (--skim_target) exclude each other");
  const bool skims = model.config().skim_gate != SkimGate::kNone;
  TK_CHECK(skims || !(options.skim_target || options.skim_coefficient),
           "--skim_target: the model has no skim predictors");
  TK_CHECK(!options.skim_target || (*options.skim_target > 0 && *options.skim_target <= 1),
           "--skim_target: expected a share of the dense MACs in (0, 1], got ", *options.skim_target);
  TK_CHECK(options.temperature > 0, "--skim_temperature: expected a number above 0, got ", options.temperature);
  TK_CHECK(options.skim_noise_fade >= 0 && options.skim_noise_fade <= kGateNoiseEnd,
           "--skim_noise_fade: expected a share in [0, ", kGateNoiseEnd, "], got ", options.skim_noise_fade);
  TK_CHECK(options.distill_weight >= 0 && options.distill_weight <= 1,
           "--distill_weight: expected a share in [0, 1], got ", options.distill_weight);
  return options;
}

StepState initial_state(const TrainerOptions& options) {
  StepState state;
  state.seed = options.seed;
  state.max_grad_norm = options.max_grad_norm;
  state.temperature = options.temperature;
  for (double& decay : state.weight_decay) decay = options.weight_decay;
  return state;
}

}  // namespace

Trainer::Trainer(BertClassifier& model, const GlueTask& task, const std::vector<TokenizedExample>& examples,
                 const TrainerOptions& options, const Tensor& teacher_logits)
    : model_(model),
      task_(task),
      options_(checked(model, options)),
      batches_(examples, task.regression(),
               {.batch_size = options.batch_size, .order = options.order, .seed = options.seed}, teacher_logits),
      optimizer_(model.parameters(), options.adam, model.compute_dtype()),
      settings_(initial_state(options)),
      state_(make_step_state(settings_, model.device())),
      steps_(model.device(), options.capture ? 1 : std::numeric_limits<int>::max(),
             [this](const StepInputs& in) { return run(in); }) {
  const auto rows = static_cast<std::int64_t>(examples.size());
  TK_CHECK(!teacher_logits.defined() || teacher_logits.shape() == Shape({rows, model.config().num_labels()}),
           "--teacher: expected logits [", rows, ", ", model.config().num_labels(), "], got ", teacher_logits.shape());
  steps_per_epoch_ = batches_.per_epoch();
  total_steps_ =
      options.max_steps > 0
          ? options.max_steps
          : std::max<std::int64_t>(1, std::llround(std::ceil(options.epochs * static_cast<double>(steps_per_epoch_))));
  warmup_steps_ = options.warmup < 1 ? std::llround(std::ceil(options.warmup * static_cast<double>(total_steps_)))
                                     : std::llround(options.warmup);
  inputs_.emplace(total_steps_, model.device() != Device::kCpu, [this](std::int64_t step) { return batches_(step); });
}

void Trainer::set_schedule() {
  StepState& state = settings_;
  state.step = begun_ + 1;
  const double factor = linear_schedule(begun_, warmup_steps_, total_steps_);
  state.learning_rate[group_index(ParameterGroup::kBase)] = factor * options_.learning_rate;
  state.learning_rate[group_index(ParameterGroup::kPredictor)] = factor * options_.skim_learning_rate;
  state.gate_noise = gate_noise_schedule(begun_, total_steps_, options_.skim_noise_fade);
  if (options_.skim_target) {
    const auto ramp = std::llround(options_.skim_ramp * static_cast<double>(total_steps_));
    state.budget = budget_schedule(begun_, ramp, *options_.skim_target);
  }
  set_step(state_, settings_);
}

Variable Trainer::task_loss(const Variable& logits, const Tensor& labels) const {
  return task_.regression() ? mse_loss(logits, labels.reshape(logits.shape())) : cross_entropy_loss(logits, labels);
}

Variable Trainer::teacher_loss(const Variable& logits, const Tensor& teacher) const {
  return task_.regression() ? mse_loss(logits, teacher)
                            : distillation_loss(logits, teacher, options_.distill_temperature);
}

// Everything that a step does, in an order that a device can record: nothing is read back.
StepLosses Trainer::run(const StepInputs& in) {
  const ClassifierOutput out = model_(model_inputs(in.batch), {.training = true, .state = state_});
  const Variable task = task_loss(out.logits, in.batch.labels);
  Variable loss = task;
  if (in.teacher.defined()) {
    loss = task * (1 - options_.distill_weight) + teacher_loss(out.logits, in.teacher) * options_.distill_weight;
  }
  if (options_.skim_target) loss = loss + budget_loss(out.encoder.cost, state_);
  if (options_.skim_coefficient) {
    const Variable& skim = out.encoder.skim_loss.defined() ? out.encoder.skim_loss : out.encoder.cost;
    loss = loss + skim * *options_.skim_coefficient;
  }
  loss.backward();
  optimizer_.step(state_);
  if (options_.skim_target) budget_controller(state_, out.encoder.cost.value());
  return {.loss = loss.value(), .task = task.value(), .cost = out.encoder.cost.value()};
}

// Puts a step behind what the device still has to do. Nothing here waits for it.
Trainer::Asked Trainer::ask() {
  Asked step;
  step.start = std::chrono::steady_clock::now();
  set_schedule();
  const StepInputs in = inputs_->next();
  const StepLosses losses = steps_(in);
  step.loss = ReadBack(losses.loss);
  step.task = ReadBack(losses.task);
  step.cost = ReadBack(losses.cost);
  step.state = ReadBack(state_);
  step.report.step = ++begun_;
  step.report.sentences = in.batch.packed.sentences;
  step.report.tokens = in.batch.packed.tokens;
  step.report.longest = std::ranges::max(in.batch.lengths);
  return step;
}

StepReport Trainer::wait_for(Asked step) {
  StepReport report = step.report;
  report.loss = step.loss.get().item();
  TK_CHECK(std::isfinite(report.loss), "train: the loss is ", report.loss, " at step ", report.step,
           "; lower the learning rate or check the data");
  const StepState state = read_step_state(step.state.get());
  report.epoch = static_cast<double>(report.step) / static_cast<double>(steps_per_epoch_);
  report.task_loss = step.task.get().item();
  report.grad_norm = state.grad_norm;
  report.learning_rate = state.learning_rate[group_index(ParameterGroup::kBase)];
  if (step.cost.defined()) report.mac_share = step.cost.get().item();
  report.budget = state.budget;
  report.multiplier = state.multiplier;
  done_ = report.step;
  const auto now = std::chrono::steady_clock::now();
  report.seconds = std::chrono::duration<double>(now - std::max(step.start, last_done_)).count();
  last_done_ = now;
  return report;
}

StepReport Trainer::step(bool ahead) {
  TK_CHECK(!finished(), "train: all ", total_steps_, " steps are done");
  Asked step = asked_ ? std::move(*std::exchange(asked_, std::nullopt)) : ask();
  if (ahead && model_.device() != Device::kCpu && begun_ < total_steps_) asked_ = ask();
  return wait_for(std::move(step));
}

}  // namespace tk
