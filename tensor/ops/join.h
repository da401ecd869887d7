#pragma once

#include <span>

#include "tensor/tensor.h"

namespace tk {

/// Tensors one after the other along dimension `dim`; all other extents and the dtype are equal.
Tensor join(std::span<const Tensor> parts, std::int64_t dim = 0);

}  // namespace tk
