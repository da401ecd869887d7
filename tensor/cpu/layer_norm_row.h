#pragma once

#include <cmath>
#include <cstdint>

#include "tensor/cpu/simd.h"

namespace tk::cpu {

template <class T>
struct Moments {
  T mean;
  T rstd;  // 1 / sqrt(variance + epsilon)
};

template <class T>
TK_SIMD Moments<T> moments_row(const T* x, T epsilon, std::int64_t n) {
  T sum = 0;
#pragma omp simd reduction(+ : sum)
  for (std::int64_t i = 0; i < n; ++i) sum += x[i];
  const T mean = sum / static_cast<T>(n);
  T squares = 0;
#pragma omp simd reduction(+ : squares)
  for (std::int64_t i = 0; i < n; ++i) squares += (x[i] - mean) * (x[i] - mean);
  return {mean, T(1) / std::sqrt(squares / static_cast<T>(n) + epsilon)};
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
