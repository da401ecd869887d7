#pragma once

#include "tensor/tensor.h"

namespace tk {

/// The sum of all elements, rank 0.
Tensor sum(const Tensor& x);
/// The sum over one dimension, which disappears.
Tensor sum(const Tensor& x, std::int64_t dim);
/// The largest entry along one dimension, which disappears, or NaN where there is one; throws when it has no entries.
Tensor max(const Tensor& x, std::int64_t dim);
/// The sum over the dimensions that broadcasting `shape` to x's shape repeated: the inverse of expand.
Tensor sum_to(const Tensor& x, const Shape& shape);
/// y = sum over all but the last dimension of x, or y += it; y is contiguous [cols], of x's dtype or
/// its row_dtype.
void sum_columns(const Tensor& y, const Tensor& x, bool add);

/// Sums of the segments [offsets[s], offsets[s + 1]) of x [n]: [segments].
Tensor segment_sum(const Tensor& x, const Tensor& offsets);
/// y[i] = x[s] for i in segment s: [n] from [segments].
Tensor segment_broadcast(const Tensor& x, const Tensor& offsets, std::int64_t n);

}  // namespace tk
