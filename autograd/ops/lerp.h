#pragma once

#include "autograd/variable.h"

namespace tk {

/// a + weight (b - a) of each row, exactly a at weight 0 and b at 1: what a mask of zeros and ones lets through. a, b
/// [rows, cols]; weight [rows], of their row_dtype.
Variable lerp_rows(const Variable& a, const Variable& b, const Variable& weight);
/// The same, op by op.
Variable lerp_rows_composed(const Variable& a, const Variable& b, const Variable& weight);

}  // namespace tk
