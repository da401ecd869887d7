#pragma once

#include <cstdint>

#include "tensor/tensor.h"

namespace tk::cpu {

/// The offset of the first element of row `row`, where a row is the last dimension; in elements, by x's own strides.
inline std::int64_t row_offset(const Tensor& x, std::int64_t row) {
  std::int64_t offset = 0;
  for (std::int64_t d = x.rank() - 2; d >= 0; --d) {
    offset += row % x.shape()[d] * x.strides()[d];
    row /= x.shape()[d];
  }
  return offset;
}

}  // namespace tk::cpu
