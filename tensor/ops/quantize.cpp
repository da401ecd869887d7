#include "tensor/ops/quantize.h"

#include <cmath>

#include "tensor/kernels.h"
#include "tensor/ops/index.h"
#include "tensor/ops/row_major.h"

namespace tk {

QuantizedRows quantize_rows(const Tensor& x) {
  TK_CHECK(x.device() == Device::kCpu && x.dtype() == DType::kFloat32 && x.rank() == 2,
           "quantize_rows: expected a float32 matrix on the cpu, got ", x.dtype(), ' ', x.shape(), " on ", x.device());
  QuantizedRows q{empty(x.shape(), DType::kInt8), empty({x.shape()[0], 1})};
  quantize_rows_kernel(Device::kCpu, q.values, q.scale, x.contiguous());
  for (std::int64_t i = 0; i < q.scale.numel(); ++i) {
    TK_CHECK(std::isfinite(q.scale.data<float>()[i]), "quantize_rows: row ", i, " holds a value that is not finite");
  }
  return q;
}

Tensor dequantize_rows(const QuantizedRows& x) {
  const bool is_matrix = x.values.dtype() == DType::kInt8 && x.values.rank() == 2;
  const Shape expected{is_matrix ? x.values.shape()[0] : 0, 1};
  TK_CHECK(is_matrix && x.scale.dtype() == DType::kFloat32 && x.scale.shape() == expected,
           "dequantize_rows: expected int8 [rows, cols] and float32 scales [rows, 1], got ", x.values.dtype(), ' ',
           x.values.shape(), " and ", x.scale.dtype(), ' ', x.scale.shape());
  Tensor y = empty(x.values.shape());
  dequantize_rows_kernel(Device::kCpu, y, x.values.contiguous(), x.scale.contiguous());
  return y;
}

Tensor dequantize_rows(const QuantizedRows& x, const Tensor& ids) {
  return dequantize_rows({index_select(x.values, ids), index_select(x.scale, ids)});
}

}  // namespace tk
