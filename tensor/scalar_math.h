#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

#include "tensor/device.h"

// exp, tanh, erf and what is built on them, for host and device. The float versions are branch-free polynomials, so
// that the compiler vectorises a loop over them; tests/tensor/scalar_math_test.cpp says how good they are. The
// double versions are the C library's. The device has instructions for 2^x, log2(x) and 1 / x, and takes those in
// float.
namespace tk::math {

// exp(x) = 2^n exp(r), n = round(x / ln 2), |r| <= ln(2) / 2; Cephes' polynomial for exp(r). Relative error 2e-7; 0
// below -87.3, infinity above 88.7.
TK_HOST_DEVICE float exp(float x) {
  if constexpr (kOnDevice) return device_exp(x);
  constexpr float kRound = 12582912.0f;  // 1.5 * 2^23: adding and subtracting it rounds to an integer
  const float clamped = x < -87.3f ? -87.3f : (x > 88.7f ? 88.7f : x);
  const float n = (clamped * 1.44269504088896341f + kRound) - kRound;
  float r = clamped - n * 0.693359375f;
  r = r - n * -2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  // Two factors, so that n = 128 does not overflow the exponent field.
  const auto half = static_cast<std::int32_t>(n) >> 1;
  const auto rest = static_cast<std::int32_t>(n) - half;
  const float scaled = p * std::bit_cast<float>((half + 127) << 23) * std::bit_cast<float>((rest + 127) << 23);
  const float low = x < -87.3f ? 0.0f : scaled;
  return x > 88.7f ? HUGE_VALF : (x != x ? x : low);
}
TK_HOST_DEVICE double exp(double x) { return std::exp(x); }

// x + x^3 p(x^2) below 0.625 (Cephes' polynomial), 1 - 2 / (exp(2 |x|) + 1) with the sign of x above. Relative error
// 2e-7.
TK_HOST_DEVICE float tanh(float x) {
  const float size = std::fabs(x), square = x * x;
  float p = -5.70498872745e-3f;
  p = p * square + 2.06390887954e-2f;
  p = p * square - 5.37397155531e-2f;
  p = p * square + 1.33314422036e-1f;
  p = p * square - 3.33332819422e-1f;
  const float near = p * square * size + size;
  const float far = 1.0f - 2.0f / (math::exp(2.0f * size) + 1.0f);
  return std::copysign(size < 0.625f ? near : far, x);
}
TK_HOST_DEVICE double tanh(double x) { return std::tanh(x); }

// x P(x^2) / Q(x^2) below 3.925, where it is 1 to rounding: a fit of least relative error, 2e-8 before rounding, by
// Lawson's weights. Absolute error 5e-7.
TK_HOST_DEVICE float erf(float x) {
  const float square = x * x;
  float p = 2.0460207e-6f;
  p = p * square + 2.84841692e-4f;
  p = p * square + 3.77251091e-3f;
  p = p * square + 5.27691729e-2f;
  p = p * square + 1.90592989e-1f;
  p = p * square + 1.12837911f;
  float q = 3.80476085e-5f;
  q = q * square + 1.16384646e-3f;
  q = q * square + 1.49831194e-2f;
  q = q * square + 1.14182383e-1f;
  q = q * square + 5.02241373e-1f;
  q = q * square + 1.0f;
  const float near = x * p / q;
  const float size = std::fabs(x) >= 3.925f || near * near > 1.0f ? 1.0f : std::fabs(near);
  return std::copysign(x != x ? x : size, x);
}
TK_HOST_DEVICE double erf(double x) { return std::erf(x); }

// Abramowitz & Stegun 7.1.26: absolute error 1.5e-7. `gauss` is exp(-x^2), which a device has at hand or needs too, and
// t = 1 / (1 + kErfSlope |x|). Where exp is no instruction, erf() is less work.
inline constexpr float kErfSlope = 0.3275911f;
TK_HOST_DEVICE float erf_from_gauss(float x, float gauss, float t) {
  float p = 1.061405429f;
  p = p * t - 1.453152027f;
  p = p * t + 1.421413741f;
  p = p * t - 0.284496736f;
  p = p * t + 0.254829592f;
  return std::copysign(1.0f - p * t * gauss, x);
}
TK_HOST_DEVICE float erf_from_gauss(float x, float gauss) {
  if constexpr (!kOnDevice) return math::erf(x);
  return erf_from_gauss(x, gauss, 1.0f / (1.0f + kErfSlope * std::fabs(x)));
}
TK_HOST_DEVICE double erf_from_gauss(double x, double) { return math::erf(x); }

/// 1 / x; on the device in float as device_reciprocal() has it.
TK_HOST_DEVICE float reciprocal(float x) { return kOnDevice ? device_reciprocal(x) : 1.0f / x; }
TK_HOST_DEVICE double reciprocal(double x) { return 1.0 / x; }

template <class T>
TK_HOST_DEVICE T sigmoid(T x) {
  return math::reciprocal(T(1) + math::exp(-x));
}

inline constexpr double kSqrtHalf = 0.70710678118654752440;
inline constexpr double kInvSqrt2Pi = 0.39894228040143267794;

/// GELU in its exact form x Phi(x), Phi the standard normal distribution (Hendrycks & Gimpel, arXiv 1606.08415), and
/// its derivative Phi(x) + x phi(x); `erf` is that of x sqrt(1/2), `gauss` exp(-x^2 / 2).
template <class T>
TK_HOST_DEVICE T gelu_from_erf(T x, T erf) {
  return T(0.5) * x * (T(1) + erf);
}
template <class T>
TK_HOST_DEVICE T gelu_derivative_from_erf(T x, T erf, T gauss) {
  return T(0.5) * (T(1) + erf) + x * T(kInvSqrt2Pi) * gauss;
}

template <class T>
TK_HOST_DEVICE T gelu(T x) {
  return gelu_from_erf(x, erf_from_gauss(x * T(kSqrtHalf), math::exp(T(-0.5) * x * x)));
}
template <class T>
TK_HOST_DEVICE T gelu_derivative(T x) {
  const T gauss = math::exp(T(-0.5) * x * x);
  return gelu_derivative_from_erf(x, erf_from_gauss(x * T(kSqrtHalf), gauss), gauss);
}

}  // namespace tk::math
