#pragma once

#include "autograd/variable.h"

namespace tk {

// As the tensor ops of these names (tensor/ops/reduce.h): over the dimensions named, or all.

Variable sum(const Variable& x, const Dims& dims = {}, bool keepdim = false);
Variable mean(const Variable& x, const Dims& dims = {}, bool keepdim = false);
/// The gradient goes to the first of the largest, or smallest, elements.
Variable max(const Variable& x, const Dims& dims = {}, bool keepdim = false);
Variable min(const Variable& x, const Dims& dims = {}, bool keepdim = false);
Variable var(const Variable& x, const Dims& dims = {}, bool keepdim = false, double correction = 1);
Variable logsumexp(const Variable& x, const Dims& dims = {}, bool keepdim = false);
/// The gradient at 0 is 0.
Variable norm(const Variable& x, const Dims& dims = {}, bool keepdim = false);

/// Sums of the segments [offsets[s], offsets[s + 1]) of x [n].
Variable segment_sum(const Variable& x, const Tensor& offsets);

}  // namespace tk
