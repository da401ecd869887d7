#pragma once

#include <string>

#include "nn/parameter.h"
#include "tensor/kernel_arguments.h"

namespace tk {

/// Layer normalisation with weight (gamma, ones at the start) and bias (beta), both [dim].
struct LayerNorm {
  Parameter weight;
  Parameter bias;
  double epsilon = 1e-12;

  LayerNorm() = default;
  LayerNorm(std::int64_t dim, double epsilon);

  Variable operator()(const Variable& x) const;
  /// As the end of a residual branch whose last product has this bias.
  ResidualNorm of_residual(const Parameter& branch_bias) const;
  void collect(ParameterList& list, const std::string& path);
};

}  // namespace tk
