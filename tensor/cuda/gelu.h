#pragma once

#include "tensor/cuda/approximate.h"
#include "tensor/scalar_math.h"

// GELU and its derivative as math:: has them, in float by single instructions for exp and 1 / x: their errors, 2 units
// in the last place, are of the size of the polynomial's, and they take a third of the instructions.
namespace tk::cuda {

__device__ inline float gauss_of(float x) {
  constexpr float kHalfLog2E = 0.72134752044448170f;
  return exp2_of(-kHalfLog2E * x * x);
}
__device__ inline double gauss_of(double x) { return std::exp(-0.5 * x * x); }

/// erf(x sqrt(1/2)), which has x's sign; `gauss` is gauss_of(x).
__device__ inline float erf_of(float x, float gauss) {
  constexpr float kSlope = math::kErfSlope * static_cast<float>(math::kSqrtHalf);
  return math::erf_from_gauss(x, gauss, reciprocal_of(1.0f + kSlope * std::fabs(x)));
}
__device__ inline double erf_of(double x, double) { return std::erf(x * math::kSqrtHalf); }

template <class C>
__device__ C gelu(C x) {
  return math::gelu_from_erf(x, erf_of(x, gauss_of(x)));
}
template <class C>
__device__ C gelu_derivative(C x) {
  const C gauss = gauss_of(x);
  return math::gelu_derivative_from_erf(x, erf_of(x, gauss), gauss);
}

/// GELU for a result that is rounded to bfloat16: max(x, 0) - |x| Phi(-|x|), with log2 Phi(-a) as a polynomial that was
/// fitted for a < 4. Its relative error is 5e-5 there, an eightieth of what the rounding may be, and its absolute one
/// 1e-5 anywhere. It takes one instruction of the special unit in place of two, and half of the others.
__device__ inline float gelu_to_bfloat16(float x) {
  const float a = std::fabs(x);
  float p = -3.597326451e-4f;
  p = p * a + 6.196004326e-3f;
  p = p * a - 4.943549525e-2f;
  p = p * a - 4.625559996e-1f;
  p = p * a - 1.149877557f;
  p = p * a - 1.000071436f;
  return fmaxf(x, 0.0f) - a * exp2_of(p);
}

}  // namespace tk::cuda
