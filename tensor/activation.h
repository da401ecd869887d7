#pragma once

#include <cstdint>

#include "tensor/unary_ops.h"

namespace tk {

/// What a feed-forward network has between its two products: one of the elementwise functions. Their derivatives read
/// the argument alone.
enum class Activation : std::uint8_t { kGelu, kGeluTanh, kRelu, kSilu };

/// Calls f.template operator()<Functor>() with the functor of `activation`.
template <class F>
void dispatch_activation(Activation activation, F&& f) {
  switch (activation) {
    case Activation::kGelu:
      return f.template operator()<Gelu>();
    case Activation::kGeluTanh:
      return f.template operator()<GeluTanh>();
    case Activation::kRelu:
      return f.template operator()<Relu>();
    case Activation::kSilu:
      return f.template operator()<Silu>();
  }
}

}  // namespace tk
