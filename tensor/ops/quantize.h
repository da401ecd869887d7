#pragma once

#include "tensor/tensor.h"

namespace tk {

/// A matrix in int8, each row with a scale of its own: x[i, j] = scale[i] values[i, j]. On the CPU.
struct QuantizedRows {
  Tensor values;  ///< int8 [rows, cols]
  Tensor scale;   ///< float32 [rows, 1]

  bool defined() const { return values.defined(); }
  QuantizedRows narrow(std::int64_t begin, std::int64_t n) const {
    return {values.narrow(0, begin, n), scale.narrow(0, begin, n)};
  }
};

/// x [rows, cols] float32 to the nearest: scale = max |x| / 127 of a row, values from -127 to 127; rows below 1e-36 are
/// zeros. Throws for a row that holds a NaN or an infinity.
QuantizedRows quantize_rows(const Tensor& x);
/// float32 [rows, cols].
Tensor dequantize_rows(const QuantizedRows& x);
/// The rows that `ids` [n] name, float32 [n, cols]. Throws on an id out of range.
Tensor dequantize_rows(const QuantizedRows& x, const Tensor& ids);

}  // namespace tk
