#pragma once

#include <cstdint>

#include "tensor/device.h"

// Comparisons of two elements, listed once. NaN is unequal to everything, and neither above nor below.
namespace tk {

#define TK_COMPARISON(functor, symbol)           \
  struct functor {                               \
    template <class T>                           \
    TK_HOST_DEVICE static bool holds(T a, T b) { \
      return a symbol b;                         \
    }                                            \
  };
TK_COMPARISON(Eq, ==)
TK_COMPARISON(Ne, !=)
TK_COMPARISON(Less, <)
TK_COMPARISON(LessEqual, <=)
TK_COMPARISON(Greater, >)
TK_COMPARISON(GreaterEqual, >=)
#undef TK_COMPARISON

// F(function name, functor)
#define TK_COMPARE_OPS(F)  \
  F(eq, Eq)                \
  F(ne, Ne)                \
  F(less, Less)            \
  F(less_equal, LessEqual) \
  F(greater, Greater)      \
  F(greater_equal, GreaterEqual)

enum class CompareOp : std::uint8_t {
#define TK_ENUMERATOR(name, functor) k##functor,
  TK_COMPARE_OPS(TK_ENUMERATOR)
#undef TK_ENUMERATOR
};

/// The function's name.
inline const char* name(CompareOp op) {
  static constexpr const char* kNames[] = {
#define TK_NAME(name, functor) #name,
      TK_COMPARE_OPS(TK_NAME)
#undef TK_NAME
  };
  return kNames[static_cast<int>(op)];
}

/// Calls f.template operator()<Functor>() with the functor of `op`.
template <class F>
void dispatch_compare(CompareOp op, F&& f) {
  switch (op) {
#define TK_CASE(name, functor) \
  case CompareOp::k##functor:  \
    return f.template operator()<functor>();
    TK_COMPARE_OPS(TK_CASE)
#undef TK_CASE
  }
}

}  // namespace tk
