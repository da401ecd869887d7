#include "transkimmer/training/trainer.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <utility>

#include "autograd/ops/elementwise.h"
#include "autograd/ops/join.h"
#include "autograd/ops/optim.h"
#include "autograd/ops/reduce.h"
#include "autograd/ops/shape.h"
#include "data/metrics.h"
#include "nn/gradient_pieces.h"
#include "nn/loss.h"
#include "nn/optim/schedule.h"
#include "tensor/ops/reduce.h"
#include "tensor/random.h"
#include "transkimmer/training/option_error.h"

namespace tk {
namespace {

constexpr double kMostSteps = 1e15;  // doubles still count them one by one

void check_options(const BertClassifier& model, const TrainerOptions& options) {
  check_option(options.epochs > 0 || options.max_steps > 0, "epochs", "expected a number above 0, got ",
               options.epochs);
  check_option(options.max_steps >= -1, "max_steps", "expected steps, or -1 for none, got ", options.max_steps);
  check_option(options.warmup >= 0 && options.warmup <= kMostSteps, "warmup", "expected a number from 0 to ",
               kMostSteps, ", got ", options.warmup);
  check_option(options.schedule != LearningRateSchedule::kPolynomial || options.learning_rate > kPolynomialEnd,
               "learning_rate", "the polynomial schedule ends at ", kPolynomialEnd, ", and the peak is ",
               options.learning_rate);
  check_option(options.label_smoothing >= 0 && options.label_smoothing < 1, "label_smoothing",
               "expected a share in [0, 1), got ", options.label_smoothing);
  check_option(!(options.skim_target && options.skim_coefficient), "skim_coefficient",
               "a fixed weight and a budget (skim_target) exclude each other");
  const bool skims = model.config().skim_gate != SkimGate::kNone;
  for (const auto& [option, given] : {std::pair("skim_target", options.skim_target.has_value()),
                                      std::pair("skim_coefficient", options.skim_coefficient.has_value())}) {
    check_option(skims || !given, option, "the model has no skim predictors");
  }
  const double target = options.skim_target.value_or(1);
  check_option(target > 0 && target <= 1, "skim_target", "expected a share of the dense MACs in (0, 1], got ", target);
  const double widest = options.skim_widest.value_or(1);
  check_option(!options.skim_widest || options.skim_target, "skim_widest", "a range of budgets needs its tightest, ",
               "skim_target");
  check_option(widest > target || !options.skim_widest, "skim_widest", "expected a share above skim_target, ", target,
               ", got ", widest);
  check_option(widest <= 1, "skim_widest", "expected at most all of the dense MACs, 1, got ", widest);
  check_option(options.skim_temperature > 0, "skim_temperature", "expected a number above 0, got ",
               options.skim_temperature);
  check_option(options.skim_temperature_end.value_or(1) > 0, "skim_temperature_end", "expected a number above 0, got ",
               options.skim_temperature_end.value_or(1));
  check_option(find_gate_estimator(options.skim_estimator).has_value(), "skim_estimator", "expected one of ",
               gate_estimator_names(), ", got \"", options.skim_estimator, '"');
  check_option(options.skim_noise_fade >= 0 && options.skim_noise_fade <= kGateNoiseEnd, "skim_noise_fade",
               "expected a share in [0, ", kGateNoiseEnd, "], got ", options.skim_noise_fade);
  check_option(options.distill_weight >= 0 && options.distill_weight <= 1, "distill_weight",
               "expected a share in [0, 1], got ", options.distill_weight);
  const double dropout = options.dropout.value_or(0);
  check_option(dropout >= 0 && dropout < 1, "dropout", "expected a share in [0, 1), got ", dropout);
  const double average = options.ema_decay.value_or(0);
  check_option(!options.shard_optimizer || !options.ema_decay, "shard_optimizer", "not together with ema_decay");
  check_option(average >= 0 && average < 1, "ema_decay", "expected a share in [0, 1), got ", average);
  check_option(options.batch_size >= 1, "batch_size", "expected at least 1, got ", options.batch_size);
  check_option(options.micro_batches >= 1, "micro_batches", "expected at least 1, got ", options.micro_batches);
}

// Training on a label that the task does not have would end in a kernel, if at all.
void check_labels(const Task& task, const std::vector<TokenizedExample>& examples, bool has_teacher) {
  const bool may_lack = task.kind == TaskKind::kTokens || has_teacher;
  for (const double label : labels_of(examples, task.kind)) {
    if (may_lack && label == -1) continue;
    TK_CHECK(label != -1, "train: an example has no label, and there is no teacher");
    const double classes = task.kind == TaskKind::kMultiLabel ? 2 : static_cast<double>(task.outputs());
    TK_CHECK(task.regression() || (label >= 0 && label < classes), "train: label ", label, " is none of the ", classes,
             " of ", task.name);
  }
}

// The options, checked before the optimizer moves the model's parameters.
const TrainerOptions& checked(const BertClassifier& model, const Task& task,
                              const std::vector<TokenizedExample>& examples, const TrainerOptions& options,
                              const Tensor& teacher_logits, const Communicator& ranks) {
  check_options(model, options);
  check_option(options.micro_batches >= ranks.size(), "micro_batches", "expected one for each of the ", ranks.size(),
               " ranks at least, got ", options.micro_batches);
  check_option(options.label_smoothing == 0 || (!task.regression() && task.kind != TaskKind::kMultiLabel),
               "label_smoothing", task.name, " has no classes");
  check_metrics(task);
  check_labels(task, examples, teacher_logits.defined());
  TK_CHECK(model.config().num_labels() == task.outputs(), "train: expected a model with the ", task.outputs(),
           " outputs of ", task.name, ", got ", model.config().num_labels());
  const Shape logits{label_starts(examples, task.kind).back(), task.outputs()};
  TK_CHECK(!teacher_logits.defined() || teacher_logits.shape() == logits, "train: expected a teacher's logits ", logits,
           ", got ", teacher_logits.shape());
  return options;
}

std::int64_t steps_in_all(const TrainerOptions& options, std::int64_t per_epoch) {
  if (options.max_steps > 0) return options.max_steps;
  const double steps = std::ceil(options.epochs * static_cast<double>(per_epoch));
  check_option(steps <= kMostSteps, "epochs", "expected at most ", kMostSteps, " steps, got ", options.epochs,
               " epochs of ", per_epoch, " steps");
  return std::max({std::int64_t{1}, options.least_steps, static_cast<std::int64_t>(std::llround(steps))});
}

ParameterList trained_parameters(const BertClassifier& model, const TrainerOptions& options) {
  const ParameterList all = model.parameters();
  freeze(all, options.freeze);
  ParameterList trained = trainable(all);
  check_option(!trained.empty(), "freeze", "no parameter is left to train");
  return trained;
}

StepState initial_state(const TrainerOptions& options) {
  StepState state;
  state.seed = options.seed;
  state.max_grad_norm = options.max_grad_norm;
  for (double& decay : state.weight_decay) decay = options.weight_decay;
  return state;
}

}  // namespace

double training_threshold(const TrainerOptions& options, double speedup) {
  const double least = 1 / options.skim_widest.value(), most = 1 / options.skim_target.value();
  return kTightestThreshold * (speedup - least) / (most - least);
}

Trainer::Trainer(BertClassifier& model, const Task& task, const std::vector<TokenizedExample>& examples,
                 const TrainerOptions& options, const Tensor& teacher_logits, const std::vector<std::int64_t>& epoch,
                 Communicator& ranks)
    : model_(model),
      ranks_(ranks),
      kind_(task.kind),
      options_(checked(model, task, examples, options, teacher_logits, ranks)),
      own_(leaves_of(options.micro_batches, ranks.rank(), ranks.size())),
      estimator_(*find_gate_estimator(options.skim_estimator)),
      has_teacher_(teacher_logits.defined()),
      all_labelled_(std::ranges::none_of(labels_of(examples, task.kind), [](double label) { return label == -1; })),
      batches_(examples, task.kind, {.batch_size = options.batch_size, .order = options.order, .seed = options.seed},
               teacher_logits, epoch, {.count = options.micro_batches, .own = own_}),
      optimizer_(trained_parameters(model, options), options.adam, model.activation_dtype(),
                 options.shard_optimizer ? &ranks : nullptr),
      settings_(initial_state(options)),
      state_(make_step_state(settings_, model.device())),
      steps_(model.device(), options.capture ? 1 : std::numeric_limits<int>::max(),
             [this](const StepInput& input) { return run(input); }),
      asked_stop_(zeros({1}, DType::kFloat32, model.device())) {
  steps_per_epoch_ = batches_.per_epoch();
  total_steps_ = steps_in_all(options, steps_per_epoch_);
  set_warmup();
  make_batches_from(0);
  if (options.ema_decay) optimizer_.keep_average(*options.ema_decay);
}

void Trainer::set_warmup() {
  const auto steps = static_cast<double>(total_steps_ - starts_.schedule);
  warmup_steps_ = std::llround(options_.warmup < 1 ? std::ceil(options_.warmup * steps) : options_.warmup);
}

void Trainer::make_batches_from(std::int64_t step) {
  inputs_.emplace(std::max<std::int64_t>(0, total_steps_ - step), model_.device() != Device::kCpu,
                  [this, step](std::int64_t i) { return batches_(step + i - starts_.data); });
}

namespace {

SkimMultipliers multipliers_of(const StepState& state) {
  return {.widest = state.multiplier, .tightest = state.tightest_multiplier};
}

std::string rows_text(const std::vector<std::int32_t>& rows) {
  constexpr std::size_t kMost = 16;
  std::string text = ", whose batch has the rows";
  for (std::size_t i = 0; i < std::min(kMost, rows.size()); ++i) text += concat(i > 0 ? ", " : " ", rows[i]);
  if (rows.size() > kMost) text += concat(" and ", rows.size() - kMost, " more");
  return text + " (counted from 0)";
}

}  // namespace

TrainerState Trainer::state() const {
  TK_CHECK(!is_ahead(), "trainer: the model is on its way to step ", begun_, "; its state is none of a step");
  std::vector<NamedTensor> optimizer;
  for (const NamedTensor& named : optimizer_.state()) {
    const bool is_here = named.tensor.device() == Device::kCpu;
    optimizer.push_back({named.name, is_here ? named.tensor.clone() : named.tensor.to(Device::kCpu)});
  }
  return {.steps = done_,
          .starts = starts_,
          .skim_multipliers = multipliers_of(read_step_state(state_)),
          .optimizer = std::move(optimizer)};
}

void Trainer::restore(const TrainerState& state) {
  TK_CHECK(begun_ == 0, "trainer: ", begun_, " steps are done; a state is restored before the first");
  TK_CHECK(state.steps >= 0 && state.steps <= total_steps_, "trainer: cannot go on after step ", state.steps, " of ",
           total_steps_);
  for (const std::int64_t start : {state.starts.optimizer, state.starts.schedule, state.starts.data}) {
    TK_CHECK(start >= 0 && start <= state.steps, "trainer: nothing began after step ", start, " of ", state.steps);
  }
  if (!state.optimizer.empty() || state.starts.optimizer < state.steps) {
    optimizer_.restore(state.optimizer);
  } else if (options_.ema_decay) {
    optimizer_.keep_average(*options_.ema_decay);
  }
  starts_ = state.starts;
  settings_.optimizer_start = starts_.optimizer;
  set_warmup();
  settings_.multiplier = state.skim_multipliers.widest;
  settings_.tightest_multiplier = state.skim_multipliers.tightest;
  write_step_state(state_, settings_);
  done_ = begun_ = state.steps;
  make_batches_from(state.steps);
}

void Trainer::show_average() {
  TK_CHECK(!is_ahead(), "trainer: the model is on its way to step ", begun_, "; its average is none of a step");
  optimizer_.show_average(true);
}

void TrainerState::reset_optimizer() {
  optimizer.clear();
  starts.optimizer = steps;
}

void TrainerState::reset_schedule() {
  starts.schedule = steps;
  skim_multipliers = {};
}

void Trainer::set_schedule() {
  StepState& state = settings_;
  state.step = begun_ + 1;
  const std::int64_t step = begun_ - starts_.schedule, total = total_steps_ - starts_.schedule;
  const double factor = schedule_factor(
      {.kind = options_.schedule, .warmup = warmup_steps_, .total = total, .peak = options_.learning_rate}, step);
  state.learning_rate[group_index(ParameterGroup::kBase)] = factor * options_.learning_rate;
  state.learning_rate[group_index(ParameterGroup::kPredictor)] = factor * options_.skim_learning_rate;
  state.temperature =
      temperature_schedule(options_.skim_temperature_schedule, options_.skim_temperature,
                           options_.skim_temperature_end.value_or(options_.skim_temperature), step, total);
  state.gate_noise = gate_noise_schedule(step, total, options_.skim_noise_fade);
  if (options_.skim_target) {
    double target = *options_.skim_target;
    if (options_.skim_widest) {
      state.tightness = Generator(options_.seed, Purpose::kBudget, static_cast<std::uint32_t>(step)).uniform();
      const double speedup = std::lerp(1 / *options_.skim_widest, 1 / target, state.tightness);
      state.skim_threshold = training_threshold(options_, speedup);
      target = 1 / speedup;
    }
    const auto ramp = std::llround(options_.skim_ramp * static_cast<double>(total));
    state.budget = budget_schedule(step, ramp, target);
  }
  set_step(state_, settings_);
}

// With all labels the mean needs no count of them; which batch has them all is no question for a recorded step.
Variable Trainer::task_loss(const Variable& logits, const Batch& batch) const {
  switch (kind_) {
    case TaskKind::kRegression: {
      const Tensor targets = batch.labels.reshape(logits.shape());
      return all_labelled_ ? mse_loss(logits, targets) : labelled_mse_loss(logits, targets);
    }
    case TaskKind::kMultiLabel:
      return labelled_cross_entropy_loss(logits_of_pairs(logits), batch.labels.reshape({batch.labels.numel()}));
    case TaskKind::kTokens:
      return labelled_cross_entropy_loss(logits, batch.labels, options_.label_smoothing);
    case TaskKind::kClassification:
      break;
  }
  return all_labelled_ ? cross_entropy_loss(logits, batch.labels, options_.label_smoothing)
                       : labelled_cross_entropy_loss(logits, batch.labels, options_.label_smoothing);
}

Variable Trainer::teacher_loss(const Variable& logits, const Batch& batch) const {
  if (kind_ == TaskKind::kRegression) return mse_loss(logits, batch.teacher);
  if (kind_ == TaskKind::kMultiLabel) {
    const Tensor teacher = logits_of_pairs(Variable(batch.teacher)).value();
    return distillation_loss(logits_of_pairs(logits), teacher, options_.distill_temperature);
  }
  if (kind_ == TaskKind::kTokens) {
    return distillation_loss(logits, batch.teacher, options_.distill_temperature, batch.tokens.rows.count());
  }
  return distillation_loss(logits, batch.teacher, options_.distill_temperature);
}

ClassifierOutput Trainer::forward(const Batch& batch) const {
  return model_(batch.tokens, {.training = true, .state = state_, .dropout_rate = options_.dropout},
                {.estimator = &estimator_, .above_threshold = options_.skim_widest.has_value()});
}

// What the fixed weight is on: the published gate's own loss, or the cost.
Variable Trainer::skim_loss(const EncoderOutput& out) const {
  return out.skim_loss.defined() ? out.skim_loss : out.cost;
}

// Everything that a step does, in an order that a device can record: nothing is read back.
StepLosses Trainer::run(const StepInput& input) {
  return options_.micro_batches == 1 ? run_whole(input.parts.front()) : run_parts(input);
}

StepLosses Trainer::run_whole(const Batch& batch) {
  const ClassifierOutput out = forward(batch);
  const Variable task = task_loss(out.logits, batch);
  Variable loss = task;
  if (batch.teacher.defined()) {
    loss = task * (1 - options_.distill_weight) + teacher_loss(out.logits, batch) * options_.distill_weight;
  }
  if (options_.skim_target) loss = loss + budget_loss(out.encoder.cost, state_);
  if (options_.skim_coefficient) loss = loss + skim_loss(out.encoder) * *options_.skim_coefficient;
  optimizer_.apply(gradients_of(loss, optimizer_.parameters()), state_);
  if (options_.skim_target) budget_controller(state_, out.encoder.cost.value());
  return {.loss = loss.value(), .task = task.value(), .cost = out.encoder.cost.value(), .stop = {}};
}

namespace {

// What a micro-batch adds to the step's loss. A mean over the whole batch is one sum over all micro-batches by another,
// and the budget is one of the whole batch's cost: so a micro-batch can go back only when all have come forward.
enum Sum : std::uint8_t { kTask, kLabels, kTeacher, kTaught, kMacs, kDenseMacs, kSkim, kRows, kStop, kSums };

// [micro-batches, 1]
Variable column(const Variable& sums, Sum i) { return narrow(sums, 1, i, 1); }

// Of nothing it is 0.
Variable ratio(const Variable& sums, Sum a, Sum b) {
  const Tensor by = sum(column(sums, b).value());
  return sum(column(sums, a)) / Variable(where(greater(by, 0), by, 1));
}

}  // namespace

// [kSums] of a micro-batch, which may be empty.
Variable Trainer::sums_of(const Batch& batch) const {
  const auto number = [&](double value) { return Variable(full({1}, value, DType::kFloat32, model_.device())); };
  Variables sums(kSums, number(0));
  sums[kStop] = Variable(asked_stop_);
  if (batch.sentences() == 0) return join(sums);
  const auto one = [](const Variable& x) { return reshape(x, {1}); };
  const ClassifierOutput out = forward(batch);
  const Tensor rows = batch.tokens.rows.count().to(DType::kFloat32);
  sums[kLabels] = one(Variable(sum(ne(batch.labels, -1).to(DType::kFloat32))));
  sums[kTask] = one(task_loss(out.logits, batch)) * sums[kLabels];
  if (batch.teacher.defined()) {
    sums[kTaught] = kind_ == TaskKind::kTokens ? one(Variable(rows)) : number(static_cast<double>(batch.sentences()));
    sums[kTeacher] = one(teacher_loss(out.logits, batch)) * sums[kTaught];
  }
  if (!out.encoder.cost.defined()) return join(sums);
  sums[kDenseMacs] = one(Variable(out.encoder.dense_macs));
  sums[kMacs] = one(out.encoder.cost) * sums[kDenseMacs];
  sums[kRows] = out.encoder.skim_loss.defined() ? one(Variable(rows)) : sums[kDenseMacs];
  sums[kSkim] = one(skim_loss(out.encoder)) * sums[kRows];
  return join(sums);
}

// Those of all micro-batches, [micro-batches, kSums].
Tensor Trainer::gather_sums(const Variables& own) const {
  const Tensor all = empty({options_.micro_batches, kSums}, DType::kFloat32, model_.device());
  for (std::int64_t i = 0; i < own_.count(); ++i) {
    all.select(0, own_.begin + i).copy_from(own[static_cast<std::size_t>(i)].value());
  }
  std::vector<std::int64_t> bounds = {0};
  for (int rank = 0; rank < ranks_.size(); ++rank) {
    bounds.push_back(leaves_of(options_.micro_batches, rank, ranks_.size()).end);
  }
  ranks_.all_gather(all, bounds);
  return all;
}

// The loss of the whole batch is a function of all micro-batches' sums, and its gradient in them is where each
// micro-batch's way back begins.
StepLosses Trainer::run_parts(const StepInput& input) {
  const std::int64_t sent = ranks_.bytes_sent();
  Variables own;
  for (const Batch& part : input.parts) own.push_back(sums_of(part));
  const Variable sums(gather_sums(own), true);
  const Variable task = ratio(sums, kTask, kLabels);
  Variable loss = task, cost;
  if (has_teacher_) {
    loss = task * (1 - options_.distill_weight) + ratio(sums, kTeacher, kTaught) * options_.distill_weight;
  }
  if (model_.config().skim_gate != SkimGate::kNone) cost = ratio(sums, kMacs, kDenseMacs);
  if (options_.skim_target) loss = loss + budget_loss(cost, state_);
  if (options_.skim_coefficient) loss = loss + ratio(sums, kSkim, kRows) * *options_.skim_coefficient;
  loss.backward();
  const Tensor gradients = sums.grad();
  optimizer_.apply(tree_sum(ranks_, optimizer_.parameters(), input.rows,
                            [&](std::int64_t leaf, const WalkWatch& watch) {
                              const Variable& its = own[static_cast<std::size_t>(leaf - own_.begin)];
                              if (its.requires_grad()) walk_back(its.node(), gradients.select(0, leaf), false, watch);
                            },
                            {.wire = options_.bf16_gradients ? DType::kBFloat16 : DType::kFloat32,
                             .gathers = !options_.shard_optimizer,
                             .overlaps = options_.overlap_gradients}),
                   state_);
  if (options_.skim_target) budget_controller(state_, cost.value());
  return {.loss = loss.value(),
          .task = task.value(),
          .cost = cost.value(),
          .bytes_sent = ranks_.bytes_sent() - sent,
          .stop = ranks_.size() > 1 ? max(column(sums, kStop).value()) : Tensor()};
}

// Puts a step behind what the device still has to do. Nothing here waits for it.
Trainer::Asked Trainer::ask() {
  optimizer_.show_average(false);
  Asked step;
  step.start = std::chrono::steady_clock::now();
  set_schedule();
  step.report.step = ++begun_;
  if (ranks_.size() > 1) asked_stop_.copy_from(full({1}, stop_));
  StepInput input = inputs_->next();
  const StepLosses losses = steps_(input);
  step.loss = ReadBack(losses.loss);
  step.task = ReadBack(losses.task);
  step.cost = ReadBack(losses.cost);
  step.stop = ReadBack(losses.stop);
  step.state = ReadBack(state_);
  step.arrive = ranks_.milestone();
  step.report.sentences = std::ssize(input.examples);
  step.report.tokens = input.tokens;
  step.report.bytes_sent = losses.bytes_sent;
  step.report.longest = input.longest;
  step.rows = std::move(input.examples);
  return step;
}

StepReport Trainer::wait_for(Asked step) {
  StepReport report = step.report;
  step.arrive();
  report.loss = step.loss.get().item();
  TK_CHECK(std::isfinite(report.loss), "train: the loss is ", report.loss, " at step ", report.step,
           rows_text(step.rows), "; lower the learning rate or check the data");
  const StepState state = read_step_state(step.state.get());
  report.epoch = static_cast<double>(report.step) / static_cast<double>(steps_per_epoch_);
  report.task_loss = step.task.get().item();
  report.grad_norm = state.grad_norm;
  TK_CHECK(std::isfinite(report.grad_norm), "train: the gradient's norm is ", report.grad_norm, " at step ",
           report.step, rows_text(step.rows), "; lower the learning rate or check the data");
  report.learning_rate = state.learning_rate[group_index(ParameterGroup::kBase)];
  if (step.cost.defined()) report.mac_share = step.cost.get().item();
  report.stop = step.stop.defined() ? static_cast<int>(step.stop.get().item()) : stop_;
  report.budget = state.budget;
  report.multipliers = multipliers_of(state);
  done_ = report.step;
  const auto now = std::chrono::steady_clock::now();
  report.seconds = std::chrono::duration<double>(now - std::max(step.start, last_done_)).count();
  last_done_ = now;
  return report;
}

StepReport Trainer::step(bool ahead) {
  TK_CHECK(!finished(), "train: all ", total_steps_, " steps are done");
  TK_CHECK(asked_ || begun_ == done_, "train: step ", begun_, " failed; nothing goes on from there");
  Asked step = asked_ ? std::move(*std::exchange(asked_, std::nullopt)) : ask();
  if (ahead && model_.device() != Device::kCpu && begun_ < total_steps_) asked_ = ask();
  return wait_for(std::move(step));
}

}  // namespace tk
