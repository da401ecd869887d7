#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "data/data_loader.h"
#include "nn/optim/schedule.h"
#include "tensor/kernel_arguments.h"

namespace tk {

/// What z must exceed at the tightest budget of a run whose budgets vary; at the widest it is 0.
inline constexpr double kTightestThreshold = 8;

/// How a model is trained; see Trainer.
struct TrainerOptions {
  double epochs = 3;             ///< may be fractional
  std::int64_t max_steps = -1;   ///< in place of epochs when positive
  std::int64_t least_steps = 0;  ///< of epochs, which are more where that many would be fewer steps
  std::int64_t batch_size = kBatchSize;
  /// Parts that a step's batch is computed in, whose gradients are summed in one tree: with more than one the same bits
  /// for any number of ranks, each of which has at least one.
  std::int64_t micro_batches = 1;
  bool shard_optimizer = false;   ///< each rank keeps the optimizer's moments of its share of the parameters; same bits
  bool overlap_gradients = true;  ///< where each rank has one micro-batch: they go as backward finishes them; same bits
  bool bf16_gradients = false;    ///< gradients go from rank to rank in bfloat16; other bits for other numbers of ranks
  BatchOrder order = BatchOrder::kRandom;
  std::uint64_t seed = 42;
  double learning_rate = 5e-5;
  double skim_learning_rate = 1e-3;  ///< of the predictors
  double weight_decay = 0;           ///< never on biases and layer norms
  double warmup = 0;                 ///< steps, or a share of all steps when below 1
  LearningRateSchedule schedule = LearningRateSchedule::kLinear;
  double max_grad_norm = 1;
  double label_smoothing = 0;  ///< of classes: cross_entropy_loss
  std::optional<double> dropout =
      {};  ///< of hidden states, attention and head, in place of what the configuration says
  AdamWConstants adam = {};
  std::optional<double> ema_decay = {};  ///< of the weights' moving average, which is then the result
  std::vector<std::string> freeze = {};  ///< parts of names of parameters that stay as they are: freeze()

  /// Skimming: the budget as a share of the dense MACs, or the paper's fixed weight on the skim loss. Neither: the
  /// gates (if any) learn from the task alone.
  std::optional<double> skim_target = {};
  /// With a target: the widest budget of a run whose steps each draw one between the two, evenly in the speed-up. The
  /// gates' threshold rises with the speed-up from 0 to kTightestThreshold, so that one model serves every budget of
  /// the range by its threshold.
  std::optional<double> skim_widest = {};
  std::optional<double> skim_coefficient = {};
  double skim_ramp = 0.4;  ///< share of the steps over which the budget falls from 1 to the target
  /// How a gradient passes the gates: a pathwise estimator's name (autograd/estimators/estimators.h).
  std::string skim_estimator = "st-gs";
  double skim_temperature = 1;                      ///< of the gates' samples
  std::optional<double> skim_temperature_end = {};  ///< to which it goes over the steps: temperature_schedule
  TemperatureSchedule skim_temperature_schedule = TemperatureSchedule::kExponential;
  double skim_noise_fade = 0.4;  ///< share of the steps over which the gates' noise fades: gate_noise_schedule

  bool capture = true;  ///< on a device that can, record a step once for each bucket of shapes and replay it

  double distill_weight = 0.5;  ///< of the teacher's loss, the task keeps the rest; used when there is a teacher
  double distill_temperature = 2;
};

/// The threshold that training gives gates at a speed-up of a run whose budgets vary.
double training_threshold(const TrainerOptions& options, double speedup);

}  // namespace tk
