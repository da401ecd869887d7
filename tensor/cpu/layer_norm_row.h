#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

#include "tensor/cpu/simd.h"

namespace tk::cpu {

template <class T>
struct Moments {
  T mean;
  T rstd;  // 1 / sqrt(variance + epsilon)
};

// The compiler's vectors, of whatever width the processor has.
template <class T>
struct Lanes {
  using Type [[gnu::vector_size(64)]] = T;
  static constexpr std::int64_t kCount = 64 / sizeof(T);
};

// sum(x), or sum((x - mean)^2) where `centred`: four vectors of sums, since one would wait for each of its additions.
template <class T>
TK_SIMD T moment_row(const T* x, T mean, bool centred, std::int64_t n) {
  constexpr std::int64_t kVectors = 4, kCount = Lanes<T>::kCount;
  typename Lanes<T>::Type sums[kVectors] = {};
  std::int64_t i = 0;
  for (; i + kVectors * kCount <= n; i += kVectors * kCount) {
    for (std::int64_t v = 0; v < kVectors; ++v) {
      typename Lanes<T>::Type values;
      std::memcpy(&values, x + i + v * kCount, sizeof values);
      sums[v] += centred ? (values - mean) * (values - mean) : values;
    }
  }
  for (; i + kCount <= n; i += kCount) {
    typename Lanes<T>::Type values;
    std::memcpy(&values, x + i, sizeof values);
    sums[0] += centred ? (values - mean) * (values - mean) : values;
  }
  const typename Lanes<T>::Type all = (sums[0] + sums[1]) + (sums[2] + sums[3]);
  T lanes[kCount];
  std::memcpy(lanes, &all, sizeof all);
  for (std::int64_t half = kCount / 2; half > 0; half /= 2) {
    for (std::int64_t lane = 0; lane < half; ++lane) lanes[lane] += lanes[lane + half];
  }
  T sum = lanes[0];
  for (; i < n; ++i) sum += centred ? (x[i] - mean) * (x[i] - mean) : x[i];
  return sum;
}

template <class T>
Moments<T> moments_row(const T* x, T epsilon, std::int64_t n) {
  const T mean = moment_row(x, T(0), false, n) / static_cast<T>(n);
  const T variance = moment_row(x, mean, true, n) / static_cast<T>(n);
  return {mean, T(1) / std::sqrt(variance + epsilon)};
}

template <class T>
TK_SIMD void normalize_row(T* y, const T* x, Moments<T> moments, const T* gamma, const T* beta, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) y[i] = (x[i] - moments.mean) * moments.rstd * gamma[i] + beta[i];
}

// With g = dy gamma and xhat = (x - mean) rstd: dx = rstd (g - mean(g) - xhat mean(g xhat)).
template <class T>
TK_SIMD void layer_norm_backward_row(T* dx, const T* dy, const T* x, Moments<T> moments, const T* gamma,
                                     std::int64_t n) {
  T sum = 0;
  T dot = 0;
#pragma omp simd reduction(+ : sum, dot)
  for (std::int64_t i = 0; i < n; ++i) {
    const T g = dy[i] * gamma[i];
    sum += g;
    dot += g * (x[i] - moments.mean) * moments.rstd;
  }
  const T mean_g = sum / static_cast<T>(n);
  const T mean_dot = dot / static_cast<T>(n);
  for (std::int64_t i = 0; i < n; ++i) {
    const T xhat = (x[i] - moments.mean) * moments.rstd;
    dx[i] = moments.rstd * (dy[i] * gamma[i] - mean_g - xhat * mean_dot);
  }
}

// dgamma += dy xhat, dbeta += dy
template <class T>
TK_SIMD void add_affine_gradients_row(T* dgamma, T* dbeta, const T* dy, const T* x, Moments<T> moments,
                                      std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) {
    dgamma[i] += dy[i] * (x[i] - moments.mean) * moments.rstd;
    dbeta[i] += dy[i];
  }
}

}  // namespace tk::cpu
