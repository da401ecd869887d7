#include <cmath>

#include "tensor/cpu/parallel.h"
#include "tensor/cpu/simd.h"
#include "tensor/kernels.h"

namespace tk::cpu {
namespace {

template <class T>
TK_SIMD T max_row(const T* x, std::int64_t n) {
  T largest = x[0];
#pragma omp simd reduction(max : largest)
  for (std::int64_t i = 0; i < n; ++i) largest = x[i] > largest ? x[i] : largest;
  return largest;
}

// y = exp(x - largest); returns the sum of y.
template <class T>
TK_SIMD T exp_row(T* y, const T* x, T largest, std::int64_t n) {
  T sum = 0;
#pragma omp simd reduction(+ : sum)
  for (std::int64_t i = 0; i < n; ++i) {
    y[i] = math::exp(x[i] - largest);
    sum += y[i];
  }
  return sum;
}

template <class T>
TK_SIMD void scale_row(T* y, T factor, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) y[i] *= factor;
}

template <class T>
TK_SIMD T dot_row(const T* a, const T* b, std::int64_t n) {
  T sum = 0;
#pragma omp simd reduction(+ : sum)
  for (std::int64_t i = 0; i < n; ++i) sum += a[i] * b[i];
  return sum;
}

template <class F>
void rows_of(const Tensor& y, F&& f) {
  const std::int64_t cols = y.shape().back();
  if (cols > 0) parallel_rows(y.numel() / cols, cols, [&](std::int64_t row) { f(row * cols, cols); });
}

}  // namespace

void softmax(Tensor& y, const Tensor& x) {
  dispatch_floating(y.dtype(), "softmax", [&]<class T>() {
    rows_of(y, [&](std::int64_t at, std::int64_t cols) {
      const T* from = x.data<T>() + at;
      T* to = y.data<T>() + at;
      scale_row(to, T(1) / exp_row(to, from, max_row(from, cols), cols), cols);
    });
  });
}

// dx = y (dy - sum(dy y))
void softmax_backward(Tensor& dx, const Tensor& dy, const Tensor& y) {
  dispatch_floating(y.dtype(), "softmax", [&]<class T>() {
    rows_of(y, [&](std::int64_t at, std::int64_t cols) {
      const T* probability = y.data<T>() + at;
      const T* upstream = dy.data<T>() + at;
      const T sum = dot_row(upstream, probability, cols);
      for (std::int64_t i = 0; i < cols; ++i) dx.data<T>()[at + i] = probability[i] * (upstream[i] - sum);
    });
  });
}

void log_softmax(Tensor& y, const Tensor& x) {
  dispatch_floating(y.dtype(), "log_softmax", [&]<class T>() {
    rows_of(y, [&](std::int64_t at, std::int64_t cols) {
      const T* from = x.data<T>() + at;
      T* to = y.data<T>() + at;
      const T largest = max_row(from, cols);
      const T log_sum = std::log(exp_row(to, from, largest, cols));
      for (std::int64_t i = 0; i < cols; ++i) to[i] = (from[i] - largest) - log_sum;  // a common offset cancels exactly
    });
  });
}

// dx = dy - exp(y) sum(dy)
void log_softmax_backward(Tensor& dx, const Tensor& dy, const Tensor& y) {
  dispatch_floating(y.dtype(), "log_softmax", [&]<class T>() {
    rows_of(y, [&](std::int64_t at, std::int64_t cols) {
      T sum = 0;
      for (std::int64_t i = 0; i < cols; ++i) sum += dy.data<T>()[at + i];
      for (std::int64_t i = 0; i < cols; ++i) {
        dx.data<T>()[at + i] = dy.data<T>()[at + i] - math::exp(y.data<T>()[at + i]) * sum;
      }
    });
  });
}

}  // namespace tk::cpu
