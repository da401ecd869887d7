#include "tensor/cpu/quantize_row.h"

#include "tensor/cpu/parallel.h"
#include "tensor/kernels.h"

namespace tk::cpu {
void quantize_rows(Tensor& values, Tensor& scale, const Tensor& x) {
  const std::int64_t cols = x.shape()[1];
  parallel_rows(x.shape()[0], cols, [&](std::int64_t row) {
    scale.data<float>()[row] =
        quantize_row<std::int8_t, 0>(values.data<std::int8_t>() + row * cols, x.data<float>() + row * cols, cols);
  });
}

void dequantize_rows(Tensor& y, const Tensor& values, const Tensor& scale) {
  const std::int64_t cols = y.shape()[1];
  parallel_rows(y.shape()[0], cols, [&](std::int64_t row) {
    dequantize_row(y.data<float>() + row * cols, values.data<std::int8_t>() + row * cols, scale.data<float>()[row],
                   cols);
  });
}

}  // namespace tk::cpu
