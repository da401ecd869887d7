#pragma once

#include <string>

#include "tensor/tensor.h"

namespace tk {

/// A tensor under the name that files and messages give it.
struct NamedTensor {
  std::string name;
  Tensor tensor;
};

}  // namespace tk
