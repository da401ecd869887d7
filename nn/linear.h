#pragma once

#include <string>

#include "nn/parameter.h"

namespace tk {

/// y = x W^T + b: weight [out, in], bias [out].
struct Linear {
  Parameter weight;
  Parameter bias;

  Linear() = default;
  Linear(std::int64_t in, std::int64_t out) : weight({out, in}), bias({out}, false) {}

  Variable operator()(const Variable& x) const;
  /// x W^T, for a caller that fuses the bias with what follows.
  Variable without_bias(const Variable& x) const;
  void collect(ParameterList& list, const std::string& path);
};

}  // namespace tk
