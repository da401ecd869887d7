#include "tensor/ops/elementwise.h"

#include "tensor/kernels.h"
#include "tensor/ops/reduce.h"

namespace tk {

Tensor unary(UnaryOp op, const Tensor& x) {
  Tensor y = empty_like(x);
  unary_kernel(x.device(), y, op, x);
  return y;
}

Tensor unary_backward(UnaryOp op, const Tensor& dy, const Tensor& x, const Tensor& y) {
  Tensor dx = empty_like(x);
  unary_backward_kernel(x.device(), dx, op, dy, x, y);
  return dx;
}

Tensor binary(BinaryOp op, const Tensor& a, const Tensor& b) {
  TK_CHECK(a.dtype() == b.dtype(), name(op), ": dtypes differ: ", a.dtype(), " and ", b.dtype());
  const Shape shape = broadcast_shapes(name(op), a.shape(), b.shape());
  Tensor y = empty(shape, a.dtype(), a.device());
  binary_kernel(a.device(), y, op, a.expand(shape), b.expand(shape));
  return y;
}

Tensor binary_backward(BinaryOp op, bool second, const Tensor& dy, const Tensor& a, const Tensor& b) {
  const Shape& shape = dy.shape();
  const Shape& target = second ? b.shape() : a.shape();
  if (op == BinaryOp::kAdd || (op == BinaryOp::kSub && !second)) return sum_to(dy, target);
  Tensor d = empty_like(dy);
  binary_backward_kernel(dy.device(), d, op, second, dy, a.expand(shape), b.expand(shape));
  return sum_to(d, target);
}

Tensor affine(const Tensor& x, double scale, double shift) {
  Tensor y = empty_like(x);
  affine_kernel(x.device(), y, x.contiguous(), scale, shift);
  return y;
}

void add_to(const Tensor& y, const Tensor& x) {
  TK_CHECK(y.shape() == x.shape() && y.dtype() == x.dtype() && y.is_contiguous(), "add_to: expected a contiguous ",
           x.dtype(), ' ', x.shape(), " to add to, got ", y.dtype(), ' ', y.shape());
  Tensor target = y;
  add_to_kernel(y.device(), target, x.contiguous());
}

Tensor compare(CompareOp op, const Tensor& a, const Tensor& b) {
  TK_CHECK(a.dtype() == b.dtype(), name(op), ": dtypes differ: ", a.dtype(), " and ", b.dtype());
  const Shape shape = broadcast_shapes(name(op), a.shape(), b.shape());
  Tensor y = empty(shape, DType::kBool, a.device());
  compare_kernel(a.device(), y, op, a.expand(shape), b.expand(shape));
  return y;
}

Tensor compare(CompareOp op, const Tensor& x, double bound) {
  Tensor y = empty(x.shape(), DType::kBool, x.device());
  compare_to_kernel(x.device(), y, op, x.contiguous(), bound);
  return y;
}

Tensor where(const Tensor& mask, const Tensor& a, const Tensor& b) {
  TK_CHECK(mask.dtype() == DType::kBool, "where: expected a bool mask, got ", mask.dtype());
  TK_CHECK(a.dtype() == b.dtype(), "where: dtypes differ: ", a.dtype(), " and ", b.dtype());
  const Shape shape = broadcast_shapes("where", broadcast_shapes("where", a.shape(), b.shape()), mask.shape());
  Tensor y = empty(shape, a.dtype(), a.device());
  where_kernel(a.device(), y, mask.expand(shape), a.expand(shape), b.expand(shape));
  return y;
}

Tensor where(const Tensor& mask, const Tensor& a, double b) { return where(mask, a, number_like(a, b)); }

Tensor where(const Tensor& mask, double a, const Tensor& b) { return where(mask, number_like(b, a), b); }

Tensor pow(const Tensor& x, double exponent) { return pow(x, number_like(x, exponent)); }

Tensor clamp(const Tensor& x, double least, double most) {
  return minimum(maximum(x, number_like(x, least)), number_like(x, most));
}

}  // namespace tk
