#pragma once

#include "tensor/step_state.h"

namespace tk {

/// The budget's loss in the cost C and the controller of its multiplier a, for host and device. Budget t and tightness
/// w are the state's; where budgets vary a follows w: a = (1 - w) a_widest + w a_tightest.
struct Budget {
  static constexpr double kPenalty = 5;  ///< of the squared excess: as steep at 10 % too much as a = 1
  static constexpr double kRate = 0.02;  ///< of the dual ascent
  static constexpr double kLargestMultiplier = 10;

  double excess;  ///< C - t
  double over;    ///< relu(C - t)
  double multiplier;

  TK_HOST_DEVICE Budget(const StepState& state, double cost)
      : excess(cost - state.budget),
        over(excess < 0 ? 0 : excess),
        multiplier((1 - state.tightness) * state.multiplier + state.tightness * state.tightest_multiplier) {}

  /// a (C - t) + 5 relu(C - t)^2
  TK_HOST_DEVICE double loss() const { return multiplier * excess + kPenalty * over * over; }
  /// Its derivative in C.
  TK_HOST_DEVICE double slope() const { return multiplier + 2 * kPenalty * over; }
  /// The multipliers of the next step, dual ascent on the constraint C <= t: clamp(a + 0.02 share (C - t), 0, 10), each
  /// by its share in this step's.
  TK_HOST_DEVICE void move_multipliers(StepState& state) const {
    state.multiplier = ascended(state.multiplier, 1 - state.tightness);
    state.tightest_multiplier = ascended(state.tightest_multiplier, state.tightness);
  }

 private:
  TK_HOST_DEVICE double ascended(double a, double share) const {
    const double next = a + kRate * share * excess;
    return next < 0 ? 0 : next > kLargestMultiplier ? kLargestMultiplier : next;
  }
};

}  // namespace tk
