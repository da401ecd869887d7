#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

#include "tensor/cpu/simd.h"

namespace tk::cpu {

// q[i] = x[i] / scale to the nearest integer, the even one of two, and Shift; returns scale = max |x| / 127, so that
// |q - Shift| is at most 127. Rows below 1e-36 are zeros with scale 0; a NaN or an infinity makes zeros with scale NaN.
template <class T, int Shift>
TK_SIMD float quantize_row(T* q, const float* x, std::int64_t n) {
  constexpr std::int32_t kInfinity = 0x7f800000;
  constexpr float kLeast = 1e-36F;  // 127 / x is a number from there on
  std::int32_t bits = 0;            // without signs floats are in the order of their bits, NaN the largest
  for (std::int64_t i = 0; i < n; ++i) bits = std::max(bits, std::bit_cast<std::int32_t>(x[i]) & 0x7fffffff);
  const float largest = std::bit_cast<float>(bits);
  if (bits >= kInfinity || largest < kLeast) {
    std::fill(q, q + n, static_cast<T>(Shift));
    return bits >= kInfinity ? std::numeric_limits<float>::quiet_NaN() : 0.0F;
  }
  const float inverse = 127.0F / largest;
  for (std::int64_t i = 0; i < n; ++i) {
    q[i] = static_cast<T>(static_cast<std::int32_t>(std::nearbyint(x[i] * inverse)) + Shift);
  }
  return largest / 127.0F;
}

// y[i] = scale q[i]
template <class T>
TK_SIMD void dequantize_row(float* y, const T* q, float scale, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) y[i] = scale * static_cast<float>(q[i]);
}

}  // namespace tk::cpu
