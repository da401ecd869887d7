#pragma once

#include <cmath>
#include <cstdint>

#include "tensor/device.h"

// Elementwise functions of two arguments, with the derivative in each. A new one is a struct and a line in
// TK_BINARY_OPS.
namespace tk {

struct Add {
  template <class T>
  TK_HOST_DEVICE static T forward(T a, T b) {
    return a + b;
  }
  template <class T>
  TK_HOST_DEVICE static T first(T, T) {
    return T(1);
  }
  template <class T>
  TK_HOST_DEVICE static T second(T, T) {
    return T(1);
  }
};

struct Sub {
  template <class T>
  TK_HOST_DEVICE static T forward(T a, T b) {
    return a - b;
  }
  template <class T>
  TK_HOST_DEVICE static T first(T, T) {
    return T(1);
  }
  template <class T>
  TK_HOST_DEVICE static T second(T, T) {
    return T(-1);
  }
};

struct Mul {
  template <class T>
  TK_HOST_DEVICE static T forward(T a, T b) {
    return a * b;
  }
  template <class T>
  TK_HOST_DEVICE static T first(T, T b) {
    return b;
  }
  template <class T>
  TK_HOST_DEVICE static T second(T a, T) {
    return a;
  }
};

struct Div {
  template <class T>
  TK_HOST_DEVICE static T forward(T a, T b) {
    return a / b;
  }
  template <class T>
  TK_HOST_DEVICE static T first(T, T b) {
    return T(1) / b;
  }
  template <class T>
  TK_HOST_DEVICE static T second(T a, T b) {
    return -a / (b * b);
  }
};

// The larger one, the first of equals, and NaN where there is one; the gradient goes to the one that was taken.
struct Maximum {
  template <class T>
  TK_HOST_DEVICE static bool takes_first(T a, T b) {
    return a >= b || a != a;
  }
  template <class T>
  TK_HOST_DEVICE static T forward(T a, T b) {
    return takes_first(a, b) ? a : b;
  }
  template <class T>
  TK_HOST_DEVICE static T first(T a, T b) {
    return takes_first(a, b) ? T(1) : T(0);
  }
  template <class T>
  TK_HOST_DEVICE static T second(T a, T b) {
    return takes_first(a, b) ? T(0) : T(1);
  }
};

// The smaller one, likewise.
struct Minimum {
  template <class T>
  TK_HOST_DEVICE static bool takes_first(T a, T b) {
    return a <= b || a != a;
  }
  template <class T>
  TK_HOST_DEVICE static T forward(T a, T b) {
    return takes_first(a, b) ? a : b;
  }
  template <class T>
  TK_HOST_DEVICE static T first(T a, T b) {
    return takes_first(a, b) ? T(1) : T(0);
  }
  template <class T>
  TK_HOST_DEVICE static T second(T a, T b) {
    return takes_first(a, b) ? T(0) : T(1);
  }
};

// a^b. Where the formulas have no limit the derivatives are PyTorch's: 0 in a where b is 0, and in b at the base 0.
struct Pow {
  template <class T>
  TK_HOST_DEVICE static T forward(T a, T b) {
    return std::pow(a, b);
  }
  template <class T>
  TK_HOST_DEVICE static T first(T a, T b) {
    return b == T(0) ? T(0) : b * std::pow(a, b - T(1));
  }
  template <class T>
  TK_HOST_DEVICE static T second(T a, T b) {
    return a == T(0) && b >= T(0) ? T(0) : std::pow(a, b) * std::log(a);
  }
};

// F(function name, functor)
#define TK_BINARY_OPS(F) \
  F(add, Add)            \
  F(sub, Sub)            \
  F(mul, Mul)            \
  F(div, Div)            \
  F(maximum, Maximum)    \
  F(minimum, Minimum)    \
  F(pow, Pow)

enum class BinaryOp : std::uint8_t {
#define TK_ENUMERATOR(name, functor) k##functor,
  TK_BINARY_OPS(TK_ENUMERATOR)
#undef TK_ENUMERATOR
};

/// The function's name.
inline const char* name(BinaryOp op) {
  static constexpr const char* kNames[] = {
#define TK_NAME(name, functor) #name,
      TK_BINARY_OPS(TK_NAME)
#undef TK_NAME
  };
  return kNames[static_cast<int>(op)];
}

/// Calls f.template operator()<Functor>() with the functor of `op`.
template <class F>
void dispatch_binary(BinaryOp op, F&& f) {
  switch (op) {
#define TK_CASE(name, functor) \
  case BinaryOp::k##functor:   \
    return f.template operator()<functor>();
    TK_BINARY_OPS(TK_CASE)
#undef TK_CASE
  }
}

}  // namespace tk
