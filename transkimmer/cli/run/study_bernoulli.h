#pragma once

#include <vector>

#include "transkimmer/cli/run/study.h"

namespace tk {

struct BernoulliStudyOptions {
  std::int64_t samples = 100000;  ///< gradients whose mean and deviation are taken
  double target = 0.45;           ///< t
  std::vector<double> temperatures = {0.1, 0.25, 0.5, 1, 2};
  std::int64_t steps = 1000;
  double learning_rate = 0.02;
  double temperature = 1;  ///< of the steps
};

/// One gate b with logit z and the cost (b - t)^2, whose gradient is p (1 - p) (1 - 2 t): bias and deviation of a
/// sample's gradient at z = 0 and z = 1 against the temperature, at temperature 1 against z, and Adam's descent from z
/// = 0 by one sample a step.
Study bernoulli_study(const BernoulliStudyOptions& options);

}  // namespace tk
