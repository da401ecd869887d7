#pragma once

#include "tensor/scalar_math.h"

// GELU and its derivative as math:: has them, in float by the device's own exp and division: their errors, 2 units in
// the last place, are of the size of the polynomial's, and they take a third of the instructions.
namespace tk::cuda {

template <class C>
struct Normal {
  C gauss;       // exp(-x^2 / 2)
  C cumulative;  // Phi(x)
};

__device__ inline Normal<float> standard_normal(float x) {
  const float gauss = __expf(-0.5f * x * x), y = x * static_cast<float>(math::kSqrtHalf);
  const float t = __fdividef(1.0f, 1.0f + math::kErfSlope * std::fabs(y));
  return {gauss, 0.5f * (1.0f + math::erf_from_gauss(y, gauss, t))};
}
__device__ inline Normal<double> standard_normal(double x) {
  return {std::exp(-0.5 * x * x), 0.5 * (1.0 + std::erf(x * math::kSqrtHalf))};
}

template <class C>
__device__ C gelu(C x) {
  return x * standard_normal(x).cumulative;
}
template <class C>
__device__ C gelu_derivative(C x) {
  const Normal<C> normal = standard_normal(x);
  return normal.cumulative + x * C(math::kInvSqrt2Pi) * normal.gauss;
}

}  // namespace tk::cuda
