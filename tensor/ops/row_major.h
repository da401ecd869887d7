#pragma once

#include <algorithm>

#include "tensor/tensor.h"

namespace tk {

/// Whether a matrix lies as BLAS reads and writes it: elements of a row adjacent, rows at least their length apart.
inline bool is_row_major(const Tensor& x) {
  const bool adjacent = x.shape()[1] <= 1 || x.strides()[1] == 1;
  return adjacent && x.strides()[0] >= std::max<std::int64_t>(1, x.shape()[1]);
}

/// x [rows, cols] if it is row-major, else a copy.
inline Tensor row_major(const Tensor& x) { return is_row_major(x) ? x : x.clone(); }

/// A tensor that may not be given, contiguous if it is.
inline Tensor contiguous_if_given(const Tensor& x) { return x.defined() ? x.contiguous() : x; }

}  // namespace tk
