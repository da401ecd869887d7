#pragma once

#include <algorithm>

#include "tensor/cpu/layer_norm_row.h"
#include "tensor/scalar_math.h"
#include "tensor/tensor.h"

namespace tk::cpu {

inline constexpr std::int64_t kMostOutputs = 3;

template <class T>
TK_SIMD void gelu_row(T* x, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) x[i] = math::gelu(x[i]);
}

template <class T>
TK_SIMD T dot_row(const T* x, const T* y, std::int64_t n) {
  T dot = 0;
#pragma omp simd reduction(+ : dot)
  for (std::int64_t i = 0; i < n; ++i) dot += x[i] * y[i];
  return dot;
}

/// What follows a predictor's first product, of `cols` columns.
template <class T>
struct HeadParameters {
  const T *gamma, *beta, *output_w, *output_b;
  T epsilon;
  std::int64_t cols, outputs;

  HeadParameters(const Tensor& gamma, const Tensor& beta, const Tensor& output_w, const Tensor& output_b,
                 double epsilon)
      : gamma(gamma.data<T>()),
        beta(beta.data<T>()),
        output_w(output_w.data<T>()),
        output_b(output_b.data<T>()),
        epsilon(static_cast<T>(epsilon)),
        cols(gamma.numel()),
        outputs(output_b.numel()) {}
};

/// z = output_w GELU(LN(u)) + output_b, of two outputs the second less the first; `room` [cols]. Returns u's moments.
template <class T>
Moments<T> score_row(T* z, const T* u, const HeadParameters<T>& p, T* room) {
  const Moments<T> moments = moments_row(u, p.epsilon, p.cols);
  normalize_row(room, u, moments, p.gamma, p.beta, p.cols);
  gelu_row(room, p.cols);
  T s[kMostOutputs];
  for (std::int64_t k = 0; k < p.outputs; ++k) s[k] = dot_row(room, p.output_w + k * p.cols, p.cols) + p.output_b[k];
  if (p.outputs == 2) s[0] = s[1] - s[0];
  std::copy(s, s + (p.outputs == 2 ? 1 : p.outputs), z);
  return moments;
}

}  // namespace tk::cpu
