#pragma once

#include <cstdint>

#include "tensor/kernel_arguments.h"

namespace tk {

/// The slope that a hard gate passes a gradient back with; formulas in tensor/gate_slope_math.h, sources in
/// autograd/estimators/.
enum class GateSlope : std::uint8_t {
  kStraightThrough,
  kGumbelRao,    ///< mean over conditional noise
  kLeastNorm,    ///< (1 - P) / 2, P the chosen side's probability: also the zero-temperature limit of kGumbelRao
  kGap,          ///< a margin of at least GateRule::gap
  kExpectedGap,  ///< a margin of at least -log(1 - P) / P
  kReinMax,
  kReinMaxRao,  ///< mean over conditional noise
  kReinMaxCv    ///< mean over conditional noise
};

/// Calls f.template operator()<slope>().
template <class F>
void dispatch_slope(GateSlope slope, F&& f) {
  switch (slope) {
    case GateSlope::kStraightThrough:
      return f.template operator()<GateSlope::kStraightThrough>();
    case GateSlope::kGumbelRao:
      return f.template operator()<GateSlope::kGumbelRao>();
    case GateSlope::kLeastNorm:
      return f.template operator()<GateSlope::kLeastNorm>();
    case GateSlope::kGap:
      return f.template operator()<GateSlope::kGap>();
    case GateSlope::kExpectedGap:
      return f.template operator()<GateSlope::kExpectedGap>();
    case GateSlope::kReinMax:
      return f.template operator()<GateSlope::kReinMax>();
    case GateSlope::kReinMaxRao:
      return f.template operator()<GateSlope::kReinMaxRao>();
    case GateSlope::kReinMaxCv:
      break;
  }
  return f.template operator()<GateSlope::kReinMaxCv>();
}

/// A slope and what it is set by.
struct GateRule {
  GateSlope slope = GateSlope::kLeastNorm;
  double gap = 1;            ///< of kGap
  double weight = 0.5;       ///< of the control variate of kReinMaxCv
  std::int64_t samples = 1;  ///< of conditional noise for each gate
  DropoutKey key = {};       ///< names it: rows that have the same number of gates each; p is not read

  /// Whether conditional noise is drawn, and `key` is read.
  bool draws() const {
    return slope == GateSlope::kGumbelRao || slope == GateSlope::kReinMaxRao || slope == GateSlope::kReinMaxCv;
  }
  template <class F>
  void for_each_tensor(F&& f) const {
    key.for_each_tensor(f);
  }
};

}  // namespace tk
