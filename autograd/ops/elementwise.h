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

/// a where the bool mask is true, else b, on the broadcast shape of all three. Each takes the gradient where it was
/// chosen, and zeros, whatever the other is, elsewhere.
Variable where(const Tensor& mask, const Variable& a, const Variable& b);
Variable where(const Tensor& mask, const Variable& a, double b);
Variable where(const Tensor& mask, double a, const Variable& b);

/// x^exponent
Variable pow(const Variable& x, double exponent);
/// min(max(x, least), most); the gradient passes where least <= x <= most.
Variable clamp(const Variable& x, double least, double most);

inline Variable operator-(const Variable& x) { return neg(x); }
inline Variable operator+(const Variable& x, double b) { return affine(x, 1, b); }
inline Variable operator+(double a, const Variable& x) { return affine(x, 1, a); }
inline Variable operator-(const Variable& x, double b) { return affine(x, 1, -b); }
inline Variable operator-(double a, const Variable& x) { return affine(x, -1, a); }
inline Variable operator*(const Variable& x, double b) { return affine(x, b); }
inline Variable operator*(double a, const Variable& x) { return affine(x, a); }
/// x times 1 / b.
inline Variable operator/(const Variable& x, double b) { return affine(x, 1 / b); }
inline Variable operator/(double a, const Variable& x) { return div(Variable(number_like(x.value(), a)), x); }

// Variable with Variable, and with Tensor, which is a constant. += makes a new value: what was recorded of the old one
// stays true.
#define TK_OPERATOR(symbol, name)                                                                        \
  inline Variable operator symbol(const Variable& a, const Variable& b) { return name(a, b); }           \
  inline Variable operator symbol(const Variable& a, const Tensor& b) { return name(a, Variable(b)); }   \
  inline Variable operator symbol(const Tensor& a, const Variable& b) { return name(Variable(a), b); }   \
  inline Variable& operator symbol##=(Variable& a, const Variable& b) { return a = name(a, b); }         \
  inline Variable& operator symbol##=(Variable& a, const Tensor& b) { return a = name(a, Variable(b)); } \
  inline Variable& operator symbol##=(Variable& a, double b) { return a = a symbol b; }
TK_OPERATOR(+, add)
TK_OPERATOR(-, sub)
TK_OPERATOR(*, mul)
TK_OPERATOR(/, div)
#undef TK_OPERATOR

}  // namespace tk
