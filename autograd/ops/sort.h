#pragma once

#include "autograd/variable.h"

namespace tk {

struct SortedVariable {
  Variable values;
  Tensor index;  ///< int64: where each came from
};
/// Along dimension `dim`; the gradient goes back to where each value came from. See tensor/ops/sort.h.
SortedVariable sort(const Variable& x, std::int64_t dim = -1, bool descending = false);
/// The k largest, in descending order.
SortedVariable topk(const Variable& x, std::int64_t k, std::int64_t dim = -1);

}  // namespace tk
