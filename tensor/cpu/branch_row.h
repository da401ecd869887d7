#pragma once

#include <cstdint>

#include "tensor/cpu/simd.h"

namespace tk::cpu {

// z = residual + scale * factor * (x + bias); factor and bias may be null.
template <class T>
TK_SIMD void add_branch_row(T* z, const T* residual, const T* x, const T* bias, const T* factor, T scale,
                            std::int64_t n) {
  if (bias != nullptr && factor != nullptr) {
    for (std::int64_t i = 0; i < n; ++i) z[i] = residual[i] + scale * factor[i] * (x[i] + bias[i]);
  } else if (bias != nullptr) {
    for (std::int64_t i = 0; i < n; ++i) z[i] = residual[i] + scale * (x[i] + bias[i]);
  } else if (factor != nullptr) {
    for (std::int64_t i = 0; i < n; ++i) z[i] = residual[i] + scale * factor[i] * x[i];
  } else {
    for (std::int64_t i = 0; i < n; ++i) z[i] = residual[i] + scale * x[i];
  }
}

}  // namespace tk::cpu
