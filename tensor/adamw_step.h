#pragma once

#include <cmath>

#include "tensor/kernel_arguments.h"
#include "tensor/step_state.h"

namespace tk {

/// The weight decay of the parameters of `group`.
TK_HOST_DEVICE double weight_decay(const StepState& state, const StepGroup& group) {
  return group.decays ? state.weight_decay[group.index] : 0.0;
}

/// What AdamW's update of a parameter group needs at one step, for host and device. The first update is 1: at 0 the
/// bias correction would divide by zero.
struct AdamWStep {
  float clip;
  float decay;         ///< 1 - learning rate * weight decay
  float rate;          ///< learning rate / (1 - beta1^t), t = updates()
  float v_correction;  ///< 1 / sqrt(1 - beta2^t)
  float beta1;
  float beta2;
  float epsilon;

  AdamWStep() = default;
  TK_HOST_DEVICE AdamWStep(const StepState& state, const StepGroup& group, const AdamWConstants& constants)
      : clip(static_cast<float>(state.clip_factor())),
        beta1(static_cast<float>(constants.beta1)),
        beta2(static_cast<float>(constants.beta2)),
        epsilon(static_cast<float>(constants.epsilon)) {
    const double t = static_cast<double>(state.updates());
    const double learning_rate = state.learning_rate[group.index];
    decay = static_cast<float>(1.0 - learning_rate * weight_decay(state, group));
    rate = static_cast<float>(learning_rate / (1.0 - std::pow(constants.beta1, t)));
    v_correction = static_cast<float>(1.0 / std::sqrt(1.0 - std::pow(constants.beta2, t)));
  }
};

}  // namespace tk
