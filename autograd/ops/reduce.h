#pragma once

#include "autograd/variable.h"

namespace tk {

/// The sum of all elements, rank 0.
Variable sum(const Variable& x);
/// The sum over one dimension, which disappears.
Variable sum(const Variable& x, std::int64_t dim);
/// The mean of all elements, rank 0; throws when there are none.
Variable mean(const Variable& x);
/// Sums of the segments [offsets[s], offsets[s + 1]) of x [n].
Variable segment_sum(const Variable& x, const Tensor& offsets);

}  // namespace tk
