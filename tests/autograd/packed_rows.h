#pragma once

#include "tests/support/tensors.h"

// A packed batch for ops on rows, in float64.
namespace tk::test {

inline Tensor normal(const Shape& shape, std::uint64_t seed) { return random_normal(shape, seed, DType::kFloat64); }

/// Sentences of 5, 1 and 9 rows.
inline const Packed& packed_rows() {
  static const Packed packed = make_packed({5, 1, 9}, {3, 14, 15});
  return packed;
}

}  // namespace tk::test
