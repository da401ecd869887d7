#include "autograd/ops/elementwise.h"

#include "tensor/ops/reduce.h"

namespace tk {

Variable unary(UnaryOp op, const Variable& x) {
  const Tensor y = unary(op, x.value());
  return record(name(op), y, {x}, [op, x = Saved(x), y = Saved(y)](const Tensor& dy) -> Tensors {
    return {unary_backward(op, dy, x, y)};
  });
}

Variable binary(BinaryOp op, const Variable& a, const Variable& b) {
  const Tensor y = binary(op, a.value(), b.value());
  if (op == BinaryOp::kAdd || op == BinaryOp::kSub) {  // the values are not read again, so they are not kept
    return record(name(op), y, {a, b},
                  [op, a_shape = a.shape(), b_shape = b.shape()](const Tensor& dy, Destinations& to) {
                    if (to.wanted(0)) to.add(0, sum_to(dy, a_shape));
                    if (to.wanted(1)) to.add(1, sum_to(op == BinaryOp::kAdd ? dy : neg(dy), b_shape));
                  });
  }
  return record(name(op), y, {a, b}, [op, saved_a = Saved(a), saved_b = Saved(b)](const Tensor& dy, Destinations& to) {
    const Tensor a = saved_a, b = saved_b;
    if (to.wanted(0)) to.add(0, binary_backward(op, false, dy, a, b));
    if (to.wanted(1)) to.add(1, binary_backward(op, true, dy, a, b));
  });
}

Variable affine(const Variable& x, double scale, double shift) {
  return record("affine", affine(x.value(), scale, shift), {x},
                [scale](const Tensor& dy) -> Tensors { return {affine(dy, scale)}; });
}

Variable where(const Tensor& mask, const Variable& a, const Variable& b) {
  return record("where", where(mask, a.value(), b.value()), {a, b},
                [mask = Saved(mask), a_shape = a.shape(), b_shape = b.shape()](const Tensor& dy, Destinations& to) {
                  const Tensor chosen = mask;
                  if (to.wanted(0)) to.add(0, sum_to(where(chosen, dy, 0), a_shape));
                  if (to.wanted(1)) to.add(1, sum_to(where(chosen, 0, dy), b_shape));
                });
}

Variable where(const Tensor& mask, const Variable& a, double b) {
  return where(mask, a, Variable(number_like(a.value(), b)));
}

Variable where(const Tensor& mask, double a, const Variable& b) {
  return where(mask, Variable(number_like(b.value(), a)), b);
}

Variable pow(const Variable& x, double exponent) { return pow(x, Variable(number_like(x.value(), exponent))); }

Variable clamp(const Variable& x, double least, double most) {
  return minimum(maximum(x, Variable(number_like(x.value(), least))), Variable(number_like(x.value(), most)));
}

}  // namespace tk
