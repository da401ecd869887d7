#pragma once

#include "autograd/variable.h"

namespace tk {

Variable reshape(const Variable& x, const Shape& shape);
/// Swaps two dimensions.
Variable transpose(const Variable& x, std::int64_t a, std::int64_t b);
/// `length` entries of dimension `dim` from `start` on.
Variable narrow(const Variable& x, std::int64_t dim, std::int64_t start, std::int64_t length);
Variable expand(const Variable& x, const Shape& shape);

}  // namespace tk
