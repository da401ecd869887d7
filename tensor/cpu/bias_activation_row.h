#pragma once

#include <cstdint>

#include "tensor/activation.h"
#include "tensor/cpu/simd.h"

namespace tk::cpu {

template <class F, class T>
TK_SIMD void bias_activation_row(T* y, const T* x, const T* bias, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) y[i] = F::forward(x[i] + bias[i]);
}

}  // namespace tk::cpu
