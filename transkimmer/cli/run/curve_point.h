#pragma once

namespace tk {

/// A value of a run's curve at one of its steps; one that is not finite leaves a gap.
struct CurvePoint {
  double step = 0;
  double value = 0;
};

}  // namespace tk
