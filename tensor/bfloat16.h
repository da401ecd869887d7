#pragma once

#include <bit>
#include <cstdint>

#include "tensor/device.h"

namespace tk {

/// The upper half of a float32: 8 exponent bits, 7 mantissa bits. A storage type; arithmetic happens in float.
struct BFloat16 {
  std::uint16_t bits = 0;

  BFloat16() = default;

  /// Rounds to nearest, ties to even; every NaN becomes 0x7fc0.
  TK_HOST_DEVICE explicit BFloat16(float x) {
    const auto u = std::bit_cast<std::uint32_t>(x);
    const std::uint32_t rounding = 0x7fffu + ((u >> 16) & 1u);
    bits = x != x ? std::uint16_t{0x7fc0} : static_cast<std::uint16_t>((u + rounding) >> 16);
  }

  TK_HOST_DEVICE explicit operator float() const { return std::bit_cast<float>(std::uint32_t{bits} << 16); }
};

}  // namespace tk
