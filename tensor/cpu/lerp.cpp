#include "tensor/cpu/parallel.h"
#include "tensor/cpu/simd.h"
#include "tensor/kernels.h"

namespace tk::cpu {
namespace {

template <class T>
TK_SIMD void lerp_row(T* y, const T* a, const T* b, T weight, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) y[i] = (1 - weight) * a[i] + weight * b[i];
}

template <class T>
TK_SIMD void add_scaled_row(T* y, const T* x, T scale, bool add, std::int64_t n) {
  if (add) {
    for (std::int64_t i = 0; i < n; ++i) y[i] += scale * x[i];
  } else {
    for (std::int64_t i = 0; i < n; ++i) y[i] = scale * x[i];
  }
}

template <class T>
TK_SIMD T weight_slope(const T* dy, const T* a, const T* b, std::int64_t n) {
  T sum = 0;
#pragma omp simd reduction(+ : sum)
  for (std::int64_t i = 0; i < n; ++i) sum += dy[i] * (b[i] - a[i]);
  return sum;
}

}  // namespace

void lerp_rows(Tensor& y, const Tensor& a, const Tensor& b, const Tensor& weight) {
  dispatch_floating(y.dtype(), "lerp_rows", [&]<class T>() {
    const std::int64_t cols = y.shape()[1];
    parallel_rows(y.shape()[0], cols, [&](std::int64_t row) {
      const std::int64_t at = row * cols;
      lerp_row(y.data<T>() + at, a.data<T>() + at, b.data<T>() + at, weight.data<T>()[row], cols);
    });
  });
}

void lerp_rows_backward(const SumTarget& da, const SumTarget& db, const SumTarget& dweight, const Tensor& dy,
                        const Tensor& a, const Tensor& b, const Tensor& weight) {
  dispatch_floating(dy.dtype(), "lerp_rows", [&]<class T>() {
    const std::int64_t cols = dy.shape()[1];
    parallel_rows(dy.shape()[0], cols, [&](std::int64_t row) {
      const std::int64_t at = row * cols;
      const T w = weight.data<T>()[row];
      if (da) add_scaled_row(da.out.data<T>() + at, dy.data<T>() + at, 1 - w, da.add, cols);
      if (db) add_scaled_row(db.out.data<T>() + at, dy.data<T>() + at, w, db.add, cols);
      if (!dweight) return;
      T& sum = dweight.out.data<T>()[row];
      const T slope = weight_slope(dy.data<T>() + at, a.data<T>() + at, b.data<T>() + at, cols);
      sum = dweight.add ? sum + slope : slope;
    });
  });
}

}  // namespace tk::cpu
