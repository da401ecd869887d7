#pragma once

#include "tensor/tensor.h"

namespace tk {

// Over the dimensions named, one or several in braces, or over all; they disappear, or stay with extent 1 if `keepdim`.

Tensor sum(const Tensor& x, const Dims& dims = {}, bool keepdim = false);
/// NaN of no elements.
Tensor mean(const Tensor& x, const Dims& dims = {}, bool keepdim = false);
/// The largest element, or NaN where there is one; throws where there are none.
Tensor max(const Tensor& x, const Dims& dims = {}, bool keepdim = false);
/// max's gradient: dy where the (first) largest was, else 0. dy has the shape of max(x, dims), or that with keepdim.
Tensor max_backward(const Tensor& dy, const Tensor& x, const Dims& dims);
/// The smallest, likewise.
Tensor min(const Tensor& x, const Dims& dims = {}, bool keepdim = false);
/// sum((x - mean)^2) / (n - correction); 1 makes it unbiased, 0 is the population's.
Tensor var(const Tensor& x, const Dims& dims = {}, bool keepdim = false, double correction = 1);
/// log(sum(exp(x)))
Tensor logsumexp(const Tensor& x, const Dims& dims = {}, bool keepdim = false);
/// The Euclidean norm.
Tensor norm(const Tensor& x, const Dims& dims = {}, bool keepdim = false);

/// The place of the (first) largest element along dimension `dim`, int64; a NaN is the largest. Throws where there are
/// none.
Tensor argmax(const Tensor& x, std::int64_t dim, bool keepdim = false);
Tensor argmin(const Tensor& x, std::int64_t dim, bool keepdim = false);

/// y, a reduction of x [shape] over `dims`, with these dimensions of extent 1 again if they disappeared.
Tensor with_reduced_dims(const Tensor& y, const Shape& shape, const Dims& dims);

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
