#pragma once

#include <cmath>
#include <cstdint>

#include "tensor/scalar_math.h"

// Elementwise functions of one argument: one functor for host and device, forward and derivative, listed once. A new
// one is a struct and a line in TK_UNARY_OPS; everything else (kernel, autograd op, tests) follows from the list.
namespace tk {

struct Neg {
  template <class T>
  TK_HOST_DEVICE static T forward(T x) {
    return -x;
  }
  template <class T>
  TK_HOST_DEVICE static T derivative(T, T) {
    return T(-1);
  }
};

struct Abs {
  template <class T>
  TK_HOST_DEVICE static T forward(T x) {
    return std::fabs(x);
  }
  template <class T>
  TK_HOST_DEVICE static T derivative(T x, T) {
    return T((x > T(0)) - (x < T(0)));
  }
};

struct Exp {
  template <class T>
  TK_HOST_DEVICE static T forward(T x) {
    return math::exp(x);
  }
  template <class T>
  TK_HOST_DEVICE static T derivative(T, T y) {
    return y;
  }
};

struct Log {
  template <class T>
  TK_HOST_DEVICE static T forward(T x) {
    return std::log(x);
  }
  template <class T>
  TK_HOST_DEVICE static T derivative(T x, T) {
    return T(1) / x;
  }
};

struct Sqrt {
  template <class T>
  TK_HOST_DEVICE static T forward(T x) {
    return std::sqrt(x);
  }
  template <class T>
  TK_HOST_DEVICE static T derivative(T, T y) {
    return T(0.5) / y;
  }
};

struct Square {
  template <class T>
  TK_HOST_DEVICE static T forward(T x) {
    return x * x;
  }
  template <class T>
  TK_HOST_DEVICE static T derivative(T x, T) {
    return T(2) * x;
  }
};

struct Tanh {
  template <class T>
  TK_HOST_DEVICE static T forward(T x) {
    return math::tanh(x);
  }
  template <class T>
  TK_HOST_DEVICE static T derivative(T, T y) {
    return T(1) - y * y;
  }
};

struct Sigmoid {
  template <class T>
  TK_HOST_DEVICE static T forward(T x) {
    return math::sigmoid(x);
  }
  template <class T>
  TK_HOST_DEVICE static T derivative(T, T y) {
    return y * (T(1) - y);
  }
};

// NaN passes, forward and back.
struct Relu {
  template <class T>
  TK_HOST_DEVICE static T forward(T x) {
    return x <= T(0) ? T(0) : x;
  }
  template <class T>
  TK_HOST_DEVICE static T derivative(T x, T) {
    return x <= T(0) ? T(0) : T(1);
  }
};

struct Gelu {
  template <class T>
  TK_HOST_DEVICE static T forward(T x) {
    return math::gelu(x);
  }
  template <class T>
  TK_HOST_DEVICE static T derivative(T x, T) {
    return math::gelu_derivative(x);
  }
};

// GELU by a hyperbolic tangent (Hendrycks & Gimpel), x (1 + tanh u) / 2 = x sigmoid(2 u) with u = sqrt(2 / pi) (x + c
// x^3).
struct GeluTanh {
  static constexpr double kScale = 1.59576912160573071176;  // 2 sqrt(2 / pi)
  static constexpr double kCubic = 0.044715;
  template <class T>
  TK_HOST_DEVICE static T forward(T x) {
    return x * math::sigmoid(T(kScale) * (x + T(kCubic) * x * x * x));
  }
  template <class T>
  TK_HOST_DEVICE static T derivative(T x, T) {
    const T s = math::sigmoid(T(kScale) * (x + T(kCubic) * x * x * x)), slope = s * (T(1) - s);
    // Where the slope is 0 the square may be infinite.
    return slope == T(0) ? s : s + x * slope * T(kScale) * (T(1) + T(3 * kCubic) * x * x);
  }
};

struct Silu {
  template <class T>
  TK_HOST_DEVICE static T forward(T x) {
    return x * math::sigmoid(x);
  }
  template <class T>
  TK_HOST_DEVICE static T derivative(T x, T) {
    const T s = math::sigmoid(x);
    return s + x * s * (T(1) - s);
  }
};

// log(1 + exp(x)) = max(x, 0) + log(1 + exp(-|x|)).
struct Softplus {
  template <class T>
  TK_HOST_DEVICE static T forward(T x) {
    return Relu::forward(x) + std::log1p(math::exp(-std::fabs(x)));
  }
  template <class T>
  TK_HOST_DEVICE static T derivative(T x, T) {
    return math::sigmoid(x);
  }
};

struct LogSigmoid {
  template <class T>
  TK_HOST_DEVICE static T forward(T x) {
    return -Softplus::forward(-x);
  }
  template <class T>
  TK_HOST_DEVICE static T derivative(T x, T) {
    return math::sigmoid(-x);
  }
};

struct Log1p {
  template <class T>
  TK_HOST_DEVICE static T forward(T x) {
    return std::log1p(x);
  }
  template <class T>
  TK_HOST_DEVICE static T derivative(T x, T) {
    return T(1) / (T(1) + x);
  }
};

struct Rsqrt {
  template <class T>
  TK_HOST_DEVICE static T forward(T x) {
    return T(1) / std::sqrt(x);
  }
  template <class T>
  TK_HOST_DEVICE static T derivative(T, T y) {
    return T(-0.5) * y * y * y;
  }
};

struct Elu {
  template <class T>
  TK_HOST_DEVICE static T forward(T x) {
    return x > T(0) ? x : std::expm1(x);
  }
  template <class T>
  TK_HOST_DEVICE static T derivative(T x, T) {
    return x > T(0) ? T(1) : math::exp(x);
  }
};

struct Erf {
  static constexpr double kSlope = 1.12837916709551257390;  // 2 / sqrt(pi)
  template <class T>
  TK_HOST_DEVICE static T forward(T x) {
    return std::erf(x);
  }
  template <class T>
  TK_HOST_DEVICE static T derivative(T x, T) {
    return T(kSlope) * math::exp(-x * x);
  }
};

struct Sin {
  template <class T>
  TK_HOST_DEVICE static T forward(T x) {
    return std::sin(x);
  }
  template <class T>
  TK_HOST_DEVICE static T derivative(T x, T) {
    return std::cos(x);
  }
};

struct Cos {
  template <class T>
  TK_HOST_DEVICE static T forward(T x) {
    return std::cos(x);
  }
  template <class T>
  TK_HOST_DEVICE static T derivative(T x, T) {
    return -std::sin(x);
  }
};

// F(function name, functor)
#define TK_UNARY_OPS(F)      \
  F(neg, Neg)                \
  F(abs, Abs)                \
  F(exp, Exp)                \
  F(log, Log)                \
  F(log1p, Log1p)            \
  F(sqrt, Sqrt)              \
  F(rsqrt, Rsqrt)            \
  F(square, Square)          \
  F(sin, Sin)                \
  F(cos, Cos)                \
  F(erf, Erf)                \
  F(tanh, Tanh)              \
  F(sigmoid, Sigmoid)        \
  F(log_sigmoid, LogSigmoid) \
  F(softplus, Softplus)      \
  F(relu, Relu)              \
  F(elu, Elu)                \
  F(gelu, Gelu)              \
  F(gelu_tanh, GeluTanh)     \
  F(silu, Silu)

enum class UnaryOp : std::uint8_t {
#define TK_ENUMERATOR(name, functor) k##functor,
  TK_UNARY_OPS(TK_ENUMERATOR)
#undef TK_ENUMERATOR
};

/// The function's name.
inline const char* name(UnaryOp op) {
  static constexpr const char* kNames[] = {
#define TK_NAME(name, functor) #name,
      TK_UNARY_OPS(TK_NAME)
#undef TK_NAME
  };
  return kNames[static_cast<int>(op)];
}

/// Calls f.template operator()<Functor>() with the functor of `op`.
template <class F>
void dispatch_unary(UnaryOp op, F&& f) {
  switch (op) {
#define TK_CASE(name, functor) \
  case UnaryOp::k##functor:    \
    return f.template operator()<functor>();
    TK_UNARY_OPS(TK_CASE)
#undef TK_CASE
  }
}

}  // namespace tk
