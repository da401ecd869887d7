#pragma once

#include <string>

#include "autograd/ops/im2col.h"
#include "nn/parameter.h"

namespace tk {

/// A convolution: x [n, in, height, width], weight [out, in, kernel, kernel] and bias [out], which begin uniform in
/// (-1 / sqrt(in kernel^2), 1 / sqrt(in kernel^2)).
struct Conv2d {
  Parameter weight;
  Parameter bias;
  ConvOptions options;

  Conv2d() = default;
  Conv2d(std::int64_t in, std::int64_t out, std::int64_t kernel, const ConvOptions& options = {});

  Variable operator()(const Variable& x) const;
  void collect(ParameterList& list, const std::string& path);
};

}  // namespace tk
