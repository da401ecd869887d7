#pragma once

#include "autograd/variable.h"

namespace tk {

/// y[i] = x[index[i]] along dimension 0; index [n] int32 or int64. If x is a leaf that allows sparse gradients (an
/// embedding), its gradient stays a list of rows.
Variable index_select(const Variable& x, const Tensor& index);

/// A copy of x with the rows named by `index` (distinct) replaced: y[index[i]] = rows[i].
Variable index_copy(const Variable& x, const Tensor& index, const Variable& rows);

}  // namespace tk
