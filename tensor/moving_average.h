#pragma once

#include "tensor/step_state.h"

namespace tk {

/// The share that the newest values have in a moving average: 1 - min(decay, (1 + t) / (10 + t)) at update t, the rule
/// of TensorFlow's ExponentialMovingAverage with num_updates. The values before the first update weigh little early.
TK_HOST_DEVICE float share_of_newest(const StepState& state, double decay) {
  const double t = static_cast<double>(state.updates());
  const double early = (1.0 + t) / (10.0 + t);
  return static_cast<float>(1.0 - (early < decay ? early : decay));
}

}  // namespace tk
