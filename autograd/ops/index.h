#pragma once

#include "autograd/variable.h"

namespace tk {

/// y[i] = x[index[i]] along dimension 0; index [n] int32 or int64. If x is a leaf that allows sparse gradients (an
/// embedding), its gradient stays a list of rows.
Variable index_select(const Variable& x, const Tensor& index);

/// index_select by distinct int32 rows (-1: a row of zeros), such as those of Kept; its way back is one pass.
Variable take_rows(const Variable& x, const Tensor& rows);

/// A copy of x with the rows named by `index` (distinct) replaced: y[index[i]] = rows[i].
Variable index_copy(const Variable& x, const Tensor& index, const Variable& rows);

/// A copy of x with y[index[i]] += rows[i] along dimension 0, rows of an equal index in their order.
Variable index_add(const Variable& x, const Tensor& index, const Variable& rows);

/// y[..., j, ...] = x[..., index[..., j, ...], ...] along dimension `dim`: see tensor/ops/index.h.
Variable gather(const Variable& x, std::int64_t dim, const Tensor& index);

}  // namespace tk
