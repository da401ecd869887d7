#pragma once

#include <string>

#include "nn/init.h"
#include "nn/parameter.h"

namespace tk {

/// y = x W^T + b: weight [out, in], bias [out], or none. Both begin uniform in (-1 / sqrt(in), 1 / sqrt(in)).
struct Linear {
  Parameter weight;
  Parameter bias;  ///< undefined without one

  Linear() = default;
  Linear(std::int64_t in, std::int64_t out, bool has_bias = true, Init init = Init::kDefault);

  /// x [..., in].
  Variable operator()(const Variable& x) const;
  /// x W^T, for a caller that fuses the bias with what follows.
  Variable without_bias(const Variable& x) const;
  void collect(ParameterList& list, const std::string& path);
};

}  // namespace tk
