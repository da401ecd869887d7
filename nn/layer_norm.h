#pragma once

#include <string>

#include "nn/parameter.h"

namespace tk {

/// Layer normalisation with weight (gamma, ones at the start) and bias (beta), both [dim].
struct LayerNorm {
  Parameter weight;
  Parameter bias;
  double epsilon = 1e-12;

  LayerNorm() = default;
  LayerNorm(std::int64_t dim, double epsilon);

  Variable operator()(const Variable& x) const;
  void collect(ParameterList& list, const std::string& path);
};

}  // namespace tk
