#include "tensor/cpu/parallel.h"
#include "tensor/kernels.h"

namespace tk::cpu {

void cumsum_rows(Tensor& y, const Tensor& x, bool reverse) {
  dispatch_floating(x.dtype(), "cumsum", [&]<class T>() {
    const std::int64_t cols = x.shape().back();
    parallel_rows(cols == 0 ? 0 : x.numel() / cols, cols, [&](std::int64_t row) {
      const T* from = x.data<T>() + row * cols;
      T* to = y.data<T>() + row * cols;
      T sum = 0;
      for (std::int64_t i = 0; i < cols; ++i) {
        const std::int64_t at = reverse ? cols - 1 - i : i;
        to[at] = sum += from[at];
      }
    });
  });
}

}  // namespace tk::cpu
