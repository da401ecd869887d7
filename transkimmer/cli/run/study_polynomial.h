#pragma once

#include <vector>

#include "transkimmer/cli/run/study.h"

namespace tk {

struct PolynomialStudyOptions {
  std::int64_t samples = 64;  ///< a step
  std::int64_t latents = 128;
  std::int64_t steps = 4000;
  double target = 0.45;
  double learning_rate = 1e-3;
  std::vector<double> powers = {1.5, 2, 3};
  double temperature = 1;
};

/// Polynomial programming (Liu et al., arXiv 2304.08612): latents are gates, the cost the mean of |b - t|^power over
/// them; Adam from logits that are uniform in (-0.01, 0.01).
Study polynomial_study(const PolynomialStudyOptions& options);

}  // namespace tk
