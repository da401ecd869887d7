#include "transkimmer/cli/trainer.h"

#include <chrono>
#include <cmath>

#include "autograd/ops/elementwise.h"
#include "autograd/ops/optim.h"
#include "data/batch.h"
#include "nn/loss.h"
#include "nn/optim/schedule.h"
#include "tensor/ops/index.h"
#include "transkimmer/cli/evaluation.h"

namespace tk {
namespace {

// Recorded steps have rows and longest sentences in multiples of these: few graphs, few dummy rows.
constexpr std::int64_t kBucketRows = 64;
constexpr std::int64_t kBucketLongest = 32;

void check_options(const BertClassifier& model, const TrainerOptions& options) {
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
  TK_CHECK(options.skim_noise_fade >= 0 && options.skim_noise_fade <= 0.9,
           "--skim_noise_fade: expected a share in [0, 0.9], got ", options.skim_noise_fade);
  TK_CHECK(options.distill_weight >= 0 && options.distill_weight <= 1,
           "--distill_weight: expected a share in [0, 1], got ", options.distill_weight);
}

StepState initial_state(const TrainerOptions& options) {
  StepState state;
  state.seed = options.seed;
  state.max_grad_norm = options.max_grad_norm;
  state.temperature = options.temperature;
  state.weight_decay[0] = state.weight_decay[2] = options.weight_decay;  // groups with decay: see step_group
  return state;
}

}  // namespace

Trainer::Trainer(BertClassifier& model, const GlueTask& task, const std::vector<TokenizedExample>& examples,
                 const TrainerOptions& options, Tensor teacher_logits)
    : model_(model),
      task_(task),
      examples_(examples),
      options_(options),
      teacher_logits_(std::move(teacher_logits)),
      optimizer_(model.parameters(), options.adam, model.compute_dtype()),
      settings_(initial_state(options)),
      state_(make_step_state(settings_, model.device())),
      lengths_(lengths_of(examples)) {
  TK_CHECK(!examples.empty(), "train: the split has no examples");
  check_options(model, options);
  const auto rows = static_cast<std::int64_t>(examples.size());
  TK_CHECK(!teacher_logits_.defined() || teacher_logits_.shape() == Shape({rows, model.config().num_labels()}),
           "--teacher: expected logits [", rows, ", ", model.config().num_labels(), "], got ", teacher_logits_.shape());
  next_batch();  // the first epoch's batches say how many steps it has
  steps_per_epoch_ = static_cast<std::int64_t>(batches_.size());
  total_steps_ =
      options.max_steps > 0
          ? options.max_steps
          : std::max<std::int64_t>(1, std::llround(std::ceil(options.epochs * static_cast<double>(steps_per_epoch_))));
  warmup_steps_ = options.warmup < 1 ? std::llround(std::ceil(options.warmup * static_cast<double>(total_steps_)))
                                     : std::llround(options.warmup);
}

const std::vector<std::int64_t>& Trainer::next_batch() {
  const std::int64_t epoch = steps_per_epoch_ == 0 ? 0 : done_ / steps_per_epoch_;
  if (epoch != epoch_) {
    batches_ = epoch_batches(
        lengths_, {.batch_size = options_.batch_size, .order = options_.order, .seed = options_.seed}, epoch);
    epoch_ = epoch;
  }
  return batches_[static_cast<std::size_t>(steps_per_epoch_ == 0 ? 0 : done_ % steps_per_epoch_)];
}

void Trainer::set_schedule() {
  StepState& state = settings_;
  state.step = done_ + 1;
  const double factor = linear_schedule(done_, warmup_steps_, total_steps_);
  for (int group = 0; group < StepState::kGroups; ++group) {
    state.learning_rate[group] = factor * (group < 2 ? options_.learning_rate : options_.skim_learning_rate);
  }
  state.gate_noise = gate_noise_schedule(done_, total_steps_, options_.skim_noise_fade);
  if (options_.skim_target) {
    const auto ramp = std::llround(options_.skim_ramp * static_cast<double>(total_steps_));
    state.budget = budget_schedule(done_, ramp, *options_.skim_target);
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

StepInputs Trainer::step_inputs(const Batch& batch, std::span<const std::int64_t> indices) const {
  const Device device = model_.device();
  StepInputs in{.inputs = model_inputs(batch, device), .labels = batch.labels.to(device), .teacher = {}};
  if (teacher_logits_.defined()) {
    const std::vector<std::int64_t> rows(indices.begin(), indices.end());
    in.teacher = index_select(teacher_logits_, from_values(rows)).to(device);
  }
  return in;
}

// Everything that a step does, in an order that a device can record: nothing is read back.
StepLosses Trainer::run(const StepInputs& in) {
  const ClassifierOutput out = model_(in.inputs, {.training = true, .state = state_});
  const Variable task = task_loss(out.logits, in.labels);
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

StepLosses Trainer::run_recorded(const Batch& batch, std::span<const std::int64_t> indices) {
  const auto up = [](std::int64_t n, std::int64_t step) { return (n + step - 1) / step * step; };
  const Bucket bucket{up(batch.packed.tokens, kBucketRows), up(batch.packed.longest, kBucketLongest)};
  const StepInputs in = step_inputs(with_dummy_rows(batch, bucket.first, bucket.second), indices);
  Recorded& step = recorded_[bucket];
  if (!step.capture) {
    step.inputs = in;
    step.capture = Capture::record(model_.device(), [&] { step.losses = run(step.inputs); });
  } else {
    for (const auto& [to, from] :
         {std::pair(&step.inputs.inputs.rows.offsets, &in.inputs.rows.offsets),
          std::pair(&step.inputs.inputs.rows.example, &in.inputs.rows.example),
          std::pair(&step.inputs.inputs.rows.position, &in.inputs.rows.position),
          std::pair(&step.inputs.inputs.input_ids, &in.inputs.input_ids),
          std::pair(&step.inputs.inputs.token_types, &in.inputs.token_types),
          std::pair(&step.inputs.labels, &in.labels), std::pair(&step.inputs.teacher, &in.teacher)}) {
      if (from->defined()) to->copy_from(*from);
    }
  }
  step.capture.replay();
  return step.losses;
}

StepReport Trainer::step() {
  TK_CHECK(!finished(), "train: all ", total_steps_, " steps are done");
  const auto start = std::chrono::steady_clock::now();
  set_schedule();
  const std::vector<std::int64_t>& indices = next_batch();
  const Batch batch = make_batch(examples_, indices, task_.regression());
  // The first step runs as it is: libraries set themselves up. So does a batch of another size, such as an epoch's
  // last.
  const bool replays = options_.capture && model_.device() == Device::kCuda && done_ > 0 &&
                       batch.packed.sentences == options_.batch_size;
  const StepLosses losses = replays ? run_recorded(batch, indices) : run(step_inputs(batch, indices));
  StepReport report;
  report.loss = losses.loss.item();
  TK_CHECK(std::isfinite(report.loss), "train: the loss is ", report.loss, " at step ", done_ + 1,
           "; lower the learning rate or check the data");
  ++done_;

  const StepState state = read_step_state(state_);
  report.step = done_;
  report.epoch = static_cast<double>(done_) / static_cast<double>(steps_per_epoch_);
  report.task_loss = losses.task.item();
  report.grad_norm = state.grad_norm;
  report.learning_rate = state.learning_rate[0];
  if (losses.cost.defined()) report.mac_share = losses.cost.item();
  report.budget = state.budget;
  report.multiplier = state.multiplier;
  report.sentences = batch.packed.sentences;
  report.tokens = batch.packed.tokens;
  report.longest = batch.packed.longest;
  report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return report;
}

}  // namespace tk
