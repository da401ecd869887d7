#pragma once

#include "autograd/variable.h"
#include "tensor/ops/elementwise.h"

namespace tk {

Variable unary(UnaryOp op, const Variable& x);
/// Broadcasts as the tensor op does.
Variable binary(BinaryOp op, const Variable& a, const Variable& b);

#define TK_DECLARE(name, functor) \
  inline Variable name(const Variable& x) { return unary(UnaryOp::k##functor, x); }
TK_UNARY_OPS(TK_DECLARE)
#undef TK_DECLARE

#define TK_DECLARE(name, functor) \
  inline Variable name(const Variable& a, const Variable& b) { return binary(BinaryOp::k##functor, a, b); }
TK_BINARY_OPS(TK_DECLARE)
#undef TK_DECLARE

/// scale * x + shift
Variable affine(const Variable& x, double scale, double shift = 0);

inline Variable operator+(const Variable& a, const Variable& b) { return add(a, b); }
inline Variable operator-(const Variable& a, const Variable& b) { return sub(a, b); }
inline Variable operator*(const Variable& a, const Variable& b) { return mul(a, b); }
inline Variable operator/(const Variable& a, const Variable& b) { return div(a, b); }
inline Variable operator-(const Variable& x) { return neg(x); }
inline Variable operator+(const Variable& x, double shift) { return affine(x, 1, shift); }
inline Variable operator-(const Variable& x, double shift) { return affine(x, 1, -shift); }
inline Variable operator*(const Variable& x, double scale) { return affine(x, scale); }
inline Variable operator*(double scale, const Variable& x) { return affine(x, scale); }

}  // namespace tk
