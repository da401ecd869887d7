#pragma once

#include "tensor/binary_ops.h"
#include "tensor/tensor.h"
#include "tensor/unary_ops.h"

namespace tk {

/// y = op(x), elementwise; floats of any strides.
Tensor unary(UnaryOp op, const Tensor& x);
/// dx = dy * op'(x), with y = op(x).
Tensor unary_backward(UnaryOp op, const Tensor& dy, const Tensor& x, const Tensor& y);

/// y = op(a, b) on the broadcast shape; throws when dtypes differ or shapes do not broadcast.
Tensor binary(BinaryOp op, const Tensor& a, const Tensor& b);
/// The gradient in a (or in b if `second`), summed to that operand's shape.
Tensor binary_backward(BinaryOp op, bool second, const Tensor& dy, const Tensor& a, const Tensor& b);

// neg(x), exp(x), ...: one function for each functor of the list.
#define TK_DECLARE(name, functor) \
  inline Tensor name(const Tensor& x) { return unary(UnaryOp::k##functor, x); }
TK_UNARY_OPS(TK_DECLARE)
#undef TK_DECLARE

// add(a, b), mul(a, b), ...
#define TK_DECLARE(name, functor) \
  inline Tensor name(const Tensor& a, const Tensor& b) { return binary(BinaryOp::k##functor, a, b); }
TK_BINARY_OPS(TK_DECLARE)
#undef TK_DECLARE

/// scale * x + shift
Tensor affine(const Tensor& x, double scale, double shift = 0);
/// y += x in place; equal shapes, y contiguous.
void add_to(const Tensor& y, const Tensor& x);
/// x > threshold, as bool.
Tensor greater(const Tensor& x, double threshold);

}  // namespace tk
