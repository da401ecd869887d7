#pragma once

#include "tensor/binary_ops.h"
#include "tensor/compare_ops.h"
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

/// Whether a op b holds, as bool, on the broadcast shape; any dtype, of both the same.
Tensor compare(CompareOp op, const Tensor& a, const Tensor& b);
/// Whether x op bound holds; of integers as doubles.
Tensor compare(CompareOp op, const Tensor& x, double bound);

// eq(a, b), less(x, 0.5), ...
#define TK_DECLARE(name, functor)                                                                       \
  inline Tensor name(const Tensor& a, const Tensor& b) { return compare(CompareOp::k##functor, a, b); } \
  inline Tensor name(const Tensor& x, double bound) { return compare(CompareOp::k##functor, x, bound); }
TK_COMPARE_OPS(TK_DECLARE)
#undef TK_DECLARE

/// a where the bool mask is true, else b, on the broadcast shape of all three; any dtype.
Tensor where(const Tensor& mask, const Tensor& a, const Tensor& b);
Tensor where(const Tensor& mask, const Tensor& a, double b);
Tensor where(const Tensor& mask, double a, const Tensor& b);

/// x^exponent
Tensor pow(const Tensor& x, double exponent);
/// min(max(x, least), most)
Tensor clamp(const Tensor& x, double least, double most);

/// One number, as a tensor of x's dtype and device.
inline Tensor number_like(const Tensor& x, double value) { return full({}, value, x.dtype(), x.device()); }

inline Tensor operator-(const Tensor& x) { return neg(x); }
inline Tensor operator+(const Tensor& a, const Tensor& b) { return add(a, b); }
inline Tensor operator-(const Tensor& a, const Tensor& b) { return sub(a, b); }
inline Tensor operator*(const Tensor& a, const Tensor& b) { return mul(a, b); }
inline Tensor operator/(const Tensor& a, const Tensor& b) { return div(a, b); }
inline Tensor operator+(const Tensor& x, double b) { return affine(x, 1, b); }
inline Tensor operator+(double a, const Tensor& x) { return affine(x, 1, a); }
inline Tensor operator-(const Tensor& x, double b) { return affine(x, 1, -b); }
inline Tensor operator-(double a, const Tensor& x) { return affine(x, -1, a); }
inline Tensor operator*(const Tensor& x, double b) { return affine(x, b); }
inline Tensor operator*(double a, const Tensor& x) { return affine(x, a); }
/// x times 1 / b.
inline Tensor operator/(const Tensor& x, double b) { return affine(x, 1 / b); }
inline Tensor operator/(double a, const Tensor& x) { return div(number_like(x, a), x); }

// In place, as PyTorch's: every tensor that shares the elements sees it. b is broadcast to a's shape.
inline const Tensor& operator+=(const Tensor& a, const Tensor& b) { return a.copy_from(a + b), a; }
inline const Tensor& operator-=(const Tensor& a, const Tensor& b) { return a.copy_from(a - b), a; }
inline const Tensor& operator*=(const Tensor& a, const Tensor& b) { return a.copy_from(a * b), a; }
inline const Tensor& operator/=(const Tensor& a, const Tensor& b) { return a.copy_from(a / b), a; }
inline const Tensor& operator+=(const Tensor& a, double b) { return a.copy_from(a + b), a; }
inline const Tensor& operator-=(const Tensor& a, double b) { return a.copy_from(a - b), a; }
inline const Tensor& operator*=(const Tensor& a, double b) { return a.copy_from(a * b), a; }
inline const Tensor& operator/=(const Tensor& a, double b) { return a.copy_from(a / b), a; }

// As bool. Equality is eq() and ne(), a bool for each element too.
inline Tensor operator<(const Tensor& a, const Tensor& b) { return less(a, b); }
inline Tensor operator<=(const Tensor& a, const Tensor& b) { return less_equal(a, b); }
inline Tensor operator>(const Tensor& a, const Tensor& b) { return greater(a, b); }
inline Tensor operator>=(const Tensor& a, const Tensor& b) { return greater_equal(a, b); }
inline Tensor operator<(const Tensor& x, double bound) { return less(x, bound); }
inline Tensor operator<=(const Tensor& x, double bound) { return less_equal(x, bound); }
inline Tensor operator>(const Tensor& x, double bound) { return greater(x, bound); }
inline Tensor operator>=(const Tensor& x, double bound) { return greater_equal(x, bound); }

}  // namespace tk
