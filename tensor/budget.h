#pragma once

#include "tensor/step_state.h"

namespace tk {

/// The budget's loss in the cost C and the controller of its multiplier a, for host and device; t is the state's
/// budget.
struct Budget {
  static constexpr double kPenalty = 5;  ///< of the squared excess: as steep at 10 % too much as a = 1
  static constexpr double kRate = 0.02;  ///< of the dual ascent
  static constexpr double kLargestMultiplier = 10;

  double excess;  ///< C - t
  double over;    ///< relu(C - t)
  double multiplier;

  TK_HOST_DEVICE Budget(const StepState& state, double cost)
      : excess(cost - state.budget), over(excess < 0 ? 0 : excess), multiplier(state.multiplier) {}

  /// a (C - t) + 5 relu(C - t)^2
  TK_HOST_DEVICE double loss() const { return multiplier * excess + kPenalty * over * over; }
  /// Its derivative in C.
  TK_HOST_DEVICE double slope() const { return multiplier + 2 * kPenalty * over; }
  /// a of the next step, dual ascent on the constraint C <= t: clamp(a + 0.02 (C - t), 0, 10).
  TK_HOST_DEVICE double next_multiplier() const {
    const double a = multiplier + kRate * excess;
    return a < 0 ? 0 : a > kLargestMultiplier ? kLargestMultiplier : a;
  }
};

}  // namespace tk
