#pragma once

#include "autograd/variable.h"

namespace tk {

/// `value` where the bool mask, broadcast, is true, else x.
Variable masked_fill(const Variable& x, const Tensor& mask, double value);
/// The matrices of the last two dimensions with zeros below the diagonal that lies k to the right of the main one (to
/// the left if negative), or above it.
Variable triu(const Variable& x, std::int64_t k = 0);
Variable tril(const Variable& x, std::int64_t k = 0);

}  // namespace tk
