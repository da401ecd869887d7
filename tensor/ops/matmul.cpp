#include "tensor/ops/matmul.h"

#include "tensor/kernels.h"
#include "tensor/ops/row_major.h"

namespace tk {
namespace {

Tensor batched(const Tensor& a, const Tensor& b, bool transpose_a, bool transpose_b) {
  const std::int64_t m = a.shape()[transpose_a ? 2 : 1];
  const std::int64_t k = a.shape()[transpose_a ? 1 : 2];
  const std::int64_t n = b.shape()[transpose_b ? 1 : 2];
  TK_CHECK(k == b.shape()[transpose_b ? 2 : 1] && a.shape()[0] == b.shape()[0],
           "matmul: batches or inner dimensions differ: ", a.shape(), " @ ", b.shape());
  Tensor y = empty({a.shape()[0], m, n}, a.dtype(), a.device());
  batched_matmul_kernel(a.device(), y, a.contiguous(), transpose_a, b.contiguous(), transpose_b);
  return y;
}

void check_packed(const Tensor& x, std::int64_t out, std::int64_t in, const Tensor& bias) {
  TK_CHECK(x.device() == Device::kCpu && x.dtype() == DType::kFloat32 && x.rank() == 2 && x.shape()[1] == in,
           "linear: expected float32 x [n, ", in, "] on the cpu, got ", x.dtype(), ' ', x.shape(), " on ", x.device());
  TK_CHECK(!bias.defined() || (bias.shape() == Shape{out} && bias.dtype() == x.dtype()),
           "linear: expected a float32 bias of [", out, "], got ", bias.dtype(), ' ', bias.shape());
}

}  // namespace

Tensor matmul(const Tensor& a, const Tensor& b, bool transpose_a, bool transpose_b) {
  TK_CHECK(a.rank() == b.rank() && (a.rank() == 2 || a.rank() == 3),
           "matmul: expected two matrices or two batches, got ", a.shape(), " @ ", b.shape());
  TK_CHECK(a.dtype() == b.dtype(), "matmul: dtypes differ: ", a.dtype(), " and ", b.dtype());
  check_device("matmul", a.device(), b);
  if (a.rank() == 3) return batched(a, b, transpose_a, transpose_b);
  Tensor y = empty({a.shape()[transpose_a ? 1 : 0], b.shape()[transpose_b ? 0 : 1]}, a.dtype(), a.device());
  matmul_into(y, false, a, b, transpose_a, transpose_b);
  return y;
}

void matmul_into(const Tensor& y, bool add, const Tensor& a, const Tensor& b, bool transpose_a, bool transpose_b) {
  TK_CHECK(a.rank() == 2 && b.rank() == 2 && a.shape()[transpose_a ? 0 : 1] == b.shape()[transpose_b ? 1 : 0],
           "matmul: inner dimensions differ: ", a.shape(), transpose_a ? "^T" : "", " @ ", b.shape(),
           transpose_b ? "^T" : "");
  const Shape expected{a.shape()[transpose_a ? 1 : 0], b.shape()[transpose_b ? 0 : 1]};
  TK_CHECK(a.dtype() == b.dtype(), "matmul: dtypes differ: ", a.dtype(), " and ", b.dtype());
  const bool dtype_fits = y.dtype() == a.dtype() || (a.dtype() == DType::kBFloat16 && y.dtype() == DType::kFloat32);
  TK_CHECK(y.shape() == expected && dtype_fits && is_row_major(y), "matmul: expected a row-major ", a.dtype(),
           " output of ", expected, ", got ", y.dtype(), ' ', y.shape(), " with strides ", y.strides());
  Tensor target = y;
  matmul_kernel(y.device(), target, row_major(a), transpose_a, row_major(b), transpose_b, add);
}

Tensor linear(const Tensor& x, const Tensor& w, const Tensor& bias) {
  TK_CHECK(x.rank() == 2 && w.rank() == 2 && x.shape()[1] == w.shape()[1],
           "linear: expected x [n, in] and w [out, in], got ", x.shape(), " and ", w.shape());
  TK_CHECK(x.dtype() == w.dtype(), "linear: dtypes differ: ", x.dtype(), " and ", w.dtype());
  TK_CHECK(!bias.defined() || (bias.shape() == Shape{w.shape()[0]} && bias.dtype() == w.dtype()), "linear: expected a ",
           w.dtype(), " bias of [", w.shape()[0], "], got ", bias.dtype(), ' ', bias.shape());
  Tensor y = empty({x.shape()[0], w.shape()[0]}, x.dtype(), x.device());
  linear_kernel(x.device(), y, row_major(x), row_major(w), contiguous_if_given(bias));
  return y;
}

Tensor linear(const Tensor& x, const PackedWeight& w, const Tensor& bias, std::optional<Activation> activation) {
  TK_CHECK(w.serves(),
           "linear: products run on another instruction set, or in another precision, than the weight was "
           "packed for");
  check_packed(x, w.out(), w.in(), bias);
  Tensor y = empty({x.shape()[0], w.out()});
  TK_CHECK(bias.defined() || !activation, "linear: an activation of a packed product needs a bias");
  packed_linear_kernel(Device::kCpu, y, row_major(x), w.panels(), contiguous_if_given(bias), activation);
  return y;
}

Tensor linear(const Tensor& x, const PackedInt8Weight& w, const Tensor& bias, std::optional<Activation> activation) {
  check_packed(x, w.out(), w.in(), bias);
  Tensor y = empty({x.shape()[0], w.out()});
  int8_linear_kernel(Device::kCpu, y, row_major(x), w.panels(), w.start(), w.scale(), contiguous_if_given(bias),
                     activation);
  return y;
}

}  // namespace tk
