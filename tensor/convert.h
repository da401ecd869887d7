#pragma once

#include <type_traits>

#include "tensor/bfloat16.h"

namespace tk {

/// x in another element type: floats become integers by truncation, bfloat16 by rounding, bool by != 0.
template <class To, class From>
TK_HOST_DEVICE To convert(From x) {
  if constexpr (std::is_same_v<From, BFloat16>) {
    return convert<To>(static_cast<float>(x));
  } else if constexpr (std::is_same_v<To, BFloat16>) {
    return BFloat16(static_cast<float>(x));
  } else if constexpr (std::is_same_v<To, bool>) {
    return x != From(0);
  } else {
    return static_cast<To>(x);
  }
}

}  // namespace tk
