#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

#include "tensor/gate_rule.h"
#include "tensor/scalar_math.h"

// Slopes of hard gates, for host and device; see tensor/ops/gate_slope.h.
//
// A gate and its mirror image have the same slope, so all formulas are those of the chosen side: m is its logit (z of
// an open gate, -z of a shut one), P = sigmoid(m) its probability, n the noise as it lies on its side (m + s n > 0).
namespace tk::math {

// log(x) for x > 0: x = 2^e (1 + r) with 1 + r in [sqrt(1/2), sqrt(2)), Cephes' polynomial for log(1 + r). Branch-free,
// so that loops vectorise; error 1e-7 of max(1, |log x|). -infinity below 2^-126, NaN of what is negative.
TK_HOST_DEVICE float fast_log(float x) {
  if constexpr (kOnDevice) return 0.693147181f * device_log2(x);
  constexpr std::int32_t kSqrtHalfBits = 0x3f3504f3;
  const std::int32_t above = std::bit_cast<std::int32_t>(x) - kSqrtHalfBits;
  const auto e = static_cast<float>(above >> 23);
  const float r = std::bit_cast<float>((above & 0x007fffff) + kSqrtHalfBits) - 1.0f;
  float p = 7.0376836292e-2f;
  p = p * r - 1.1514610310e-1f;
  p = p * r + 1.1676998740e-1f;
  p = p * r - 1.2420140846e-1f;
  p = p * r + 1.4249322787e-1f;
  p = p * r - 1.6668057665e-1f;
  p = p * r + 2.0000714765e-1f;
  p = p * r - 2.4999993993e-1f;
  p = p * r + 3.3333331174e-1f;
  const float square = r * r;
  const float y = p * r * square + e * -2.12194440e-4f - 0.5f * square;
  const float log = (r + y) + e * 0.693359375f;
  const float low = x < 0.0f ? std::bit_cast<float>(0x7fc00000) : -HUGE_VALF;
  const float high = x == HUGE_VALF ? x : log;
  return x < 0x1p-126f ? low : (x != x ? x : high);
}
TK_HOST_DEVICE double fast_log(double x) { return std::log(x); }

/// log(1 + exp(x)) = -log(1 - sigmoid(x)).
template <class T>
TK_HOST_DEVICE T softplus(T x) {
  const T positive = x > T(0) ? x : T(0);
  return positive + fast_log(T(1) + math::exp(-(x > T(0) ? x : -x)));
}

/// What all gates of a call share.
template <class T>
struct GateNumbers {
  T noise;                ///< s, the factor of the noise
  T inverse_temperature;  ///< 1 / t
  T gap;                  ///< of the gapped straight-through
  T weight;               ///< of the control variate
};

/// The derivative of sigmoid(x / t).
template <class T>
TK_HOST_DEVICE T sigmoid_slope(T x, T inverse_temperature) {
  const T s = math::sigmoid(x * inverse_temperature);
  return s * (T(1) - s) * inverse_temperature;
}

/// 2 q (1 - q) - P (1 - P) / 2 with q = (1 + sigmoid(m / t)) / 2.
template <class T>
TK_HOST_DEVICE T reinmax_slope(T m, T inverse_temperature) {
  const T rest = math::sigmoid(-m * inverse_temperature) / T(2);
  return T(2) * rest * (T(1) - rest) - math::sigmoid(m) * math::sigmoid(-m) / T(2);
}

/// The gap -log(1 - P) / P that the winner of Gumbel noise has in the mean.
template <class T>
TK_HOST_DEVICE T expected_gap(T m) {
  const T p = math::sigmoid(m);
  const T series = T(1) + p * (T(0.5) + p * (T(1) / T(3) + p / T(4)));
  return p < T(0.02) ? series : softplus(m) / (p < T(0.02) ? T(1) : p);
}

/// Logit of the point halfway between the gate's distribution and its choice, q = (1 + P) / 2: log(1 + 2 exp(m)).
template <class T>
TK_HOST_DEVICE T halfway_logit(T m) {
  return softplus(m + T(0.69314718055994530942));
}

/// The part of a slope that draws no further noise.
template <GateSlope kSlope, class T>
TK_HOST_DEVICE T settled_slope(T m, T n, const GateNumbers<T>& g) {
  const T inverse = g.inverse_temperature;
  if constexpr (kSlope == GateSlope::kStraightThrough) {
    return sigmoid_slope(m, inverse);
  } else if constexpr (kSlope == GateSlope::kLeastNorm) {
    return math::sigmoid(-m) / T(2);
  } else if constexpr (kSlope == GateSlope::kGap) {
    return sigmoid_slope(m > g.gap ? m : g.gap, inverse);
  } else if constexpr (kSlope == GateSlope::kExpectedGap) {
    const T gap = expected_gap(m);
    return sigmoid_slope(m > gap ? m : gap, inverse);
  } else if constexpr (kSlope == GateSlope::kReinMax) {
    return reinmax_slope(m, inverse);
  } else if constexpr (kSlope == GateSlope::kReinMaxRao) {
    return -math::sigmoid(m) * math::sigmoid(-m) / T(2);
  } else if constexpr (kSlope == GateSlope::kReinMaxCv) {
    return reinmax_slope(m, inverse) - g.weight * sigmoid_slope(halfway_logit(m) + g.noise * n, inverse);
  } else {
    return T(0) * m;
  }
}

/// The factor of the part that is a mean over further noise, the mean of sigmoid_slope(margin); 0: there is none.
template <class T>
TK_HOST_DEVICE T sampled_weight(GateSlope slope, const GateNumbers<T>& g) {
  if (slope == GateSlope::kGumbelRao) return T(1);
  if (slope == GateSlope::kReinMaxRao) return T(2);
  return slope == GateSlope::kReinMaxCv ? g.weight : T(0);
}

/// How far a gate with logit m lies from its threshold, m + s n, given that this is positive: of logistic noise n with
/// n > -m / s. Of a uniform v, P = sigmoid(m / s): s (log((1 - P v) / v) - log(1 - P)).
template <class T>
struct Margin {
  T chance;  ///< P
  T rest;    ///< -log(1 - P)

  static TK_HOST_DEVICE Margin of(T m, T noise) { return {math::sigmoid(m / noise), softplus(m / noise)}; }
  TK_HOST_DEVICE T operator()(T v, T noise) const { return noise * (fast_log((T(1) - chance * v) / v) + rest); }
};

/// Whose conditional noise a slope takes: the gate's own logit, or that halfway to its choice.
template <class T>
TK_HOST_DEVICE T sampled_logit(GateSlope slope, T m) {
  return slope == GateSlope::kGumbelRao ? m : halfway_logit(m);
}

/// Noise below this factor counts as this: the gates have long decided by the sign of z.
inline constexpr double kLeastNoise = 1e-6;

}  // namespace tk::math
