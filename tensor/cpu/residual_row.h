#pragma once

#include <cstdint>

#include "tensor/cpu/layer_norm_row.h"
#include "tensor/cpu/simd.h"
#include "tensor/kernel_arguments.h"

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

// y = LN(x + (branch + bias)), of n columns; y may be x, and z is room for n.
inline void residual_norm_row(float* y, const float* x, const float* branch, const ResidualNorm& norm, float* z,
                              std::int64_t n) {
  add_branch_row<float>(z, x, branch, norm.bias.data<float>(), nullptr, 1, n);
  const Moments<float> moments = moments_row(z, static_cast<float>(norm.epsilon), n);
  normalize_row(y, z, moments, norm.gamma.data<float>(), norm.beta.data<float>(), n);
}

}  // namespace tk::cpu
