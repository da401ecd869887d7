#pragma once

#include <string>

#include "nn/parameter.h"

namespace tk {

/// x / sqrt(mean(x^2) + epsilon) * weight along the last dimension (Zhang & Sennrich, arXiv 1910.07467); weight [dim]
/// begins as ones.
struct RmsNorm {
  Parameter weight;
  double epsilon = 1e-6;

  RmsNorm() = default;
  explicit RmsNorm(std::int64_t dim, double epsilon = 1e-6);

  Variable operator()(const Variable& x) const;
  void collect(ParameterList& list, const std::string& path);
};

}  // namespace tk
