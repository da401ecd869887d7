#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <vector>

#include "autograd/estimators/estimators.h"
#include "data/data_loader.h"
#include "data/example.h"
#include "data/prefetch.h"
#include "data/task.h"
#include "nn/optim/adamw.h"
#include "nn/parallel/gradient_tree.h"
#include "tensor/communicator.h"
#include "tensor/read_back.h"
#include "transkimmer/classifier.h"
#include "transkimmer/training/recorder.h"
#include "transkimmer/training/step_batches.h"
#include "transkimmer/training/trainer_options.h"

namespace tk {

/// Lagrangian multipliers a of the budget's controller: of the budget or, where budgets vary, of the widest and the
/// tightest (tensor/budget.h).
struct SkimMultipliers {
  double widest = 0;
  double tightest = 0;
};

/// What one step did.
struct StepReport {
  std::int64_t step = 0;  ///< 1 for the first
  double epoch = 0;       ///< done so far
  double loss = 0;        ///< all terms
  double task_loss = 0;   ///< cross-entropy or squared error alone
  double grad_norm = 0;
  double learning_rate = 0;
  double mac_share = 1;  ///< C: the batch's MACs over the dense model's
  double budget = 1;     ///< t
  SkimMultipliers multipliers = {};
  std::int64_t sentences = 0;
  std::int64_t tokens = 0;
  std::int64_t longest = 0;     ///< tokens of the longest sentence
  double seconds = 0;           ///< since the step before was done, or since this one was asked for
  std::int64_t bytes_sent = 0;  ///< by this rank to others
  int stop = 0;                 ///< the largest number that a rank was given by ask_to_stop() before it began; 0: none
};

/// After how many steps a trainer's parts began: 0, unless they were reset.
struct TrainerStarts {
  std::int64_t optimizer = 0;  ///< its moments, and the weights' average
  std::int64_t schedule = 0;   ///< of learning rates, budget and the gates' noise, for the steps that were left
  std::int64_t data = 0;       ///< the first epoch
};

/// What a trainer has beside the model's weights after a step. Schedules and the position in the data follow from the
/// number of steps since they began.
struct TrainerState {
  std::int64_t steps = 0;
  TrainerStarts starts = {};
  SkimMultipliers skim_multipliers = {};
  std::vector<NamedTensor> optimizer = {};  ///< a copy of its state under published names, on the CPU

  // What begins anew after these steps: the average from the model's weights, and the budget's multipliers, too, with
  // the schedules.
  void reset_optimizer();
  void reset_schedule();
  void reset_data() { starts.data = steps; }
};

/// What a step leaves to read: rank 0.
struct StepLosses {
  Tensor loss;  ///< all terms
  Tensor task;  ///< cross-entropy or squared error alone
  Tensor cost;  ///< the batch's MACs over the dense model's; undefined without gates
  std::int64_t bytes_sent = 0;
  Tensor stop;  ///< StepReport::stop; undefined where there is no other rank to tell
};

/// Trains a classifier on tokenised examples: batches, losses, budget, optimizer and schedule. The same options, model
/// and examples give the same bits, whatever the thread count, and with the same number of micro-batches whatever the
/// number of ranks. Every rank has a trainer with the same arguments but `ranks`, and makes the same calls.
class Trainer {
 public:
  /// `teacher_logits` and `epoch` as StepBatches takes them. Examples without a label learn from the teacher alone. The
  /// model and the examples must outlive the trainer. Throws when there is nothing to train on, an example has neither
  /// label nor teacher, or a label that the task does not have, and OptionError on options that contradict the model.
  Trainer(BertClassifier& model, const Task& task, const std::vector<TokenizedExample>& examples,
          const TrainerOptions& options, const Tensor& teacher_logits = {}, const std::vector<std::int64_t>& epoch = {},
          Communicator& ranks = alone());

  Trainer(const Trainer&) = delete;
  Trainer& operator=(const Trainer&) = delete;

  std::int64_t total_steps() const { return total_steps_; }
  std::int64_t steps_per_epoch() const { return steps_per_epoch_; }
  /// Steps whose reports were given.
  std::int64_t steps_done() const { return done_; }
  const TrainerStarts& starts() const { return starts_; }
  bool finished() const { return done_ >= total_steps_; }

  /// One step; throws if finished, or when loss or gradient is not finite (naming the step and its rows). With `ahead`
  /// the next one is asked of a device that works on its own before this one's numbers are waited for: then the model
  /// is already on its way to the next step.
  StepReport step(bool ahead = false);
  /// Has all ranks know, by the reports of the steps that are asked for from now on, that this one is to stop, and why:
  /// a number above 0.
  void ask_to_stop(int why) { stop_ = why; }
  /// From here to the next step the model has the moving average of the weights, where the options ask for one. Throws
  /// if is_ahead().
  void show_average();
  /// Whether a step was asked for whose report nobody has, or failed: the model is not that of steps_done().
  bool is_ahead() const { return begun_ != done_; }

  /// What restore() needs beside the weights as the model has them now; throws if is_ahead(). All ranks ask for it.
  TrainerState state() const;
  /// Goes on where another trainer with the same options, examples and weights was: the next step has the same bits as
  /// its next one. Before the first step; throws when the state does not fit.
  void restore(const TrainerState& state);

  const AdamW& optimizer() const { return optimizer_; }

 private:
  // A step that the device was asked for: what is known of it, and what is on its way.
  struct Asked {
    StepReport report;
    std::chrono::steady_clock::time_point start;
    std::vector<std::int32_t> rows;  // ids of the examples
    ReadBack loss, task, cost, stop, state;
    std::function<void()> arrive;  // waits for them
  };

  void set_warmup();
  void set_schedule();
  Variable task_loss(const Variable& logits, const Batch& batch) const;
  Variable teacher_loss(const Variable& logits, const Batch& batch) const;
  ClassifierOutput forward(const Batch& batch) const;
  Variable skim_loss(const EncoderOutput& out) const;
  StepLosses run(const StepInput& input);
  StepLosses run_whole(const Batch& batch);
  StepLosses run_parts(const StepInput& input);
  Variable sums_of(const Batch& batch) const;
  Tensor gather_sums(const Variables& own) const;
  void make_batches_from(std::int64_t step);
  Asked ask();
  StepReport wait_for(Asked step);

  BertClassifier& model_;
  Communicator& ranks_;
  TaskKind kind_;
  TrainerOptions options_;
  Leaves own_;  // micro-batches of this rank
  ChosenEstimator estimator_;
  bool has_teacher_;
  bool all_labelled_;
  StepBatches batches_;
  AdamW optimizer_;
  StepState settings_;  // what the host writes to the state before each step
  Tensor state_;
  std::int64_t steps_per_epoch_ = 0;  // of batches_, which `inputs_` may be using
  std::int64_t total_steps_ = 0;
  std::int64_t warmup_steps_ = 0;
  TrainerStarts starts_;
  std::int64_t done_ = 0;
  std::int64_t begun_ = 0;  // done_, or one more
  Recorder<StepLosses, StepInput> steps_;
  int stop_ = 0;
  Tensor asked_stop_;                          // [1] float32, where steps read it
  std::optional<Prefetch<StepInput>> inputs_;  // where the device does the work, made while it does
  std::optional<Asked> asked_;
  std::chrono::steady_clock::time_point last_done_;
};

}  // namespace tk
