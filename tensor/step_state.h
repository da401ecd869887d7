#pragma once

#include <cstdint>
#include <limits>

#include "tensor/tensor.h"

namespace tk {

/// A number that is not one until it is given: a rate that nobody chose must not pass for 0.
struct LearningRate {
  double value = std::numeric_limits<double>::quiet_NaN();

  LearningRate() = default;
  TK_HOST_DEVICE constexpr LearningRate(double rate) : value(rate) {}
  TK_HOST_DEVICE constexpr operator double() const { return value; }
  bool is_given() const { return value == value; }
};

/// What changes from one training step to the next. It lives in one small device tensor, so that a recorded step can be
/// replayed: ops read it where it lies, never a host number baked into a closure.
struct StepState {
  static constexpr int kGroups = 2;  ///< base, predictor: ParameterGroup

  std::uint64_t seed = 0;            ///< Philox key
  std::int64_t step = 0;             ///< Philox counter word 0 (first step is 1)
  std::int64_t optimizer_start = 0;  ///< the step after which what the optimizer keeps began
  /// Of each group: for all its parameters (0 is a rate too), and for those that decay.
  LearningRate learning_rate[kGroups] = {};
  double weight_decay[kGroups] = {};
  double max_grad_norm = 0;   ///< 0: no clipping
  double temperature = 1;     ///< of the gates
  double gate_noise = 1;      ///< factor of the gates' noise: 0 makes them decide as in evaluation
  double budget = 1;          ///< t: target share of the dense MACs at this step
  double tightness = 0;       ///< w: where t lies between the widest budget of a run (0) and the tightest (1)
  double skim_threshold = 0;  ///< a gate passes where z is above it: in evaluation, and where budgets vary

  // What the step itself writes.
  double grad_norm = 0;   ///< of the last step, before clipping
  double multiplier = 0;  ///< a: the budget controller's Lagrangian multiplier, where budgets vary that of the widest
  double tightest_multiplier = 0;  ///< and that of the tightest; between the two a is linear in w

  /// Updates that the optimizer has made, this step's among them: AdamW's bias correction.
  TK_HOST_DEVICE std::int64_t updates() const { return step - optimizer_start; }
  /// The factor that clips the gradient to max_grad_norm: min(1, max_grad_norm / (grad_norm + 1e-6)), as in PyTorch.
  TK_HOST_DEVICE double clip_factor() const {
    const double factor = max_grad_norm / (grad_norm + 1e-6);
    return max_grad_norm > 0 && factor < 1 ? factor : 1.0;
  }
};

/// A device tensor that holds `state`.
Tensor make_step_state(const StepState& state, Device device = Device::kCpu);
/// The state inside; throws when the tensor holds none, or does not lie on the CPU.
StepState& step_state(const Tensor& state);
/// A copy of the state inside, from any device.
StepState read_step_state(const Tensor& state);
/// Writes all of it.
void write_step_state(const Tensor& state, const StepState& values);
/// Writes all but what the step itself writes.
void set_step(const Tensor& state, const StepState& settings);

}  // namespace tk
