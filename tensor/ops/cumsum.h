#pragma once

#include "tensor/tensor.h"

namespace tk {

/// y[i] = x[0] + ... + x[i] along dimension `dim`; from the last entry on if `reverse`, which is the backward.
Tensor cumsum(const Tensor& x, std::int64_t dim, bool reverse = false);

}  // namespace tk
