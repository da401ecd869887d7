#include "tensor/cpu/dropout_row.h"
#include "tensor/kernels.h"

namespace tk::cpu {
namespace {

template <class T>
TK_SIMD void multiply_row(T* y, const T* x, const T* factor, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) y[i] = x[i] * factor[i];
}

}  // namespace

void dropout(Tensor& y, const Tensor& x, const DropoutKey& key) {
  dispatch_floating(y.dtype(), "dropout", [&]<class T>() {
    const std::int64_t cols = y.shape().back();
    DropoutRow<T> dropout(key, cols);
    parallel_chunks(y.shape()[0], 16, y.numel(), [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t row = begin; row < end; ++row) {
        multiply_row(y.data<T>() + row * cols, x.data<T>() + row * cols, dropout.factors(row), cols);
      }
    });
  });
}

}  // namespace tk::cpu
