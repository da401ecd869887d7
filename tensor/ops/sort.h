#pragma once

#include "tensor/tensor.h"

namespace tk {

/// The places of x's elements along dimension `dim` in ascending or descending order, int64. Equal ones keep their
/// order, and NaN is above all others, as in PyTorch.
Tensor argsort(const Tensor& x, std::int64_t dim = -1, bool descending = false);

struct Sorted {
  Tensor values;
  Tensor index;  ///< int64: where each came from
};
Sorted sort(const Tensor& x, std::int64_t dim = -1, bool descending = false);
/// The k largest, in descending order; the first of equal ones come first.
Sorted topk(const Tensor& x, std::int64_t k, std::int64_t dim = -1);

}  // namespace tk
