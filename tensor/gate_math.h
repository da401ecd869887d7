#pragma once

#include <cmath>

#include "tensor/scalar_math.h"

// Noise and gates, for host and device; see tensor/ops/gate.h.
namespace tk::math {

/// The number itself.
struct Uniform {
  TK_HOST_DEVICE float operator()(float u) const { return u; }
};

/// Logistic noise of a number that is uniform in (0, 1).
struct Logistic {
  TK_HOST_DEVICE float operator()(float u) const {
    if constexpr (!kOnDevice) return std::log(u) - std::log1p(-u);
    return 0.693147181f * (device_log2(u) - device_log2(1.0f - u));  // 1 - u is exact from 1/2 on, and near 1 below
  }
};

/// Standard Gumbel noise of one.
struct Gumbel {
  TK_HOST_DEVICE float operator()(float u) const { return -std::log(-std::log(u)); }
};

template <class T>
struct Gate {
  T hard;
  T soft;
};

/// soft = sigmoid((z + s noise) / t), hard = soft > 1/2, which is z + s noise > 0. NaN gives NaN.
template <class T>
TK_HOST_DEVICE Gate<T> hard_gate(T z, T noise, T s, T inverse_temperature) {
  const T noisy = z + s * noise;
  const T hard = noisy > T(0) ? T(1) : noisy <= T(0) ? T(0) : noisy;
  return {hard, math::sigmoid(noisy * inverse_temperature)};
}

/// Straight through the soft sample: dz = dy soft (1 - soft) / t.
template <class T>
TK_HOST_DEVICE T hard_gate_backward(T dy, T soft, T inverse_temperature) {
  return dy * soft * (T(1) - soft) * inverse_temperature;
}

}  // namespace tk::math
