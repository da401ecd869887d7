#pragma once

#include <functional>
#include <string>

#include "autograd/variable.h"

namespace tk {

struct GradcheckOptions {
  double step = 1e-6;               ///< of the central difference
  double relative_tolerance = 1e-6;
  double absolute_tolerance = 1e-7;
  std::uint64_t seed = 0;           ///< of the upstream gradient
};

struct GradcheckResult {
  bool passed = true;
  double largest_error = 0;  ///< |analytic - numeric| over all elements
  std::string message;       ///< the first element that differs
};

/// Compares the recorded gradient of f with central differences, for every element of every float64 input, under a
/// random upstream gradient: |analytic - numeric| <= absolute + relative |numeric|. f must be deterministic.
GradcheckResult gradcheck(const std::function<Variable(const Variables&)>& f, const Tensors& inputs,
                          const GradcheckOptions& options = {});

}  // namespace tk
