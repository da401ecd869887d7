#pragma once

#include "tensor/step_state.h"

namespace tk::test {

/// A step state with one learning rate and one weight decay for every group; clip 0 for none.
inline Tensor state_at(std::int64_t step, double rate, double decay = 0, double clip = 0) {
  StepState state;
  state.step = step;
  state.max_grad_norm = clip;
  for (int group = 0; group < StepState::kGroups; ++group) {
    state.learning_rate[group] = rate;
    state.weight_decay[group] = decay;
  }
  return make_step_state(state);
}

}  // namespace tk::test
