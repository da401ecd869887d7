#pragma once

#include <bit>
#include <cstdint>

namespace tk {

/// IEEE 754 binary16: 5 exponent bits, 10 mantissa bits. What files hold; tensors do not.
struct Float16 {
  std::uint16_t bits = 0;

  Float16() = default;

  /// Rounds to nearest, ties to even; beyond 65504 that is infinity; every NaN becomes a quiet one.
  explicit Float16(float x) {
    const auto u = std::bit_cast<std::uint32_t>(x);
    const std::uint32_t sign = (u >> 16) & 0x8000u;
    const std::uint32_t magnitude = u & 0x7fffffffu;
    bits = static_cast<std::uint16_t>(sign | round(magnitude));
  }

  explicit operator float() const {
    const std::uint32_t sign = (bits & 0x8000u) << 16;
    const std::uint32_t exponent = (bits >> 10) & 0x1fu;
    const std::uint32_t mantissa = bits & 0x3ffu;
    if (exponent == 0) {  // m * 2^-24
      const float value = static_cast<float>(mantissa) * 0x1p-24f;
      return std::bit_cast<float>(sign | std::bit_cast<std::uint32_t>(value));
    }
    const std::uint32_t rebased = exponent == 31 ? 255u : exponent + 127u - 15u;
    return std::bit_cast<float>(sign | rebased << 23 | mantissa << 13);
  }

  bool is_infinite() const { return (bits & 0x7fffu) == 0x7c00u; }

 private:
  static std::uint32_t round(std::uint32_t magnitude) {
    if (magnitude > 0x7f800000u) return 0x7e00u;
    if (magnitude >= 0x477ff000u) return 0x7c00u;  // 65520, halfway between 65504 and 2^16
    if (magnitude < 0x38800000u) {                 // below 2^-14: the last bit of 0.5 + x is 2^-24, that of a subnormal
      return std::bit_cast<std::uint32_t>(std::bit_cast<float>(magnitude) + 0.5f) - std::bit_cast<std::uint32_t>(0.5f);
    }
    const std::uint32_t rebased = magnitude - ((127u - 15u) << 23);
    return (rebased + 0xfffu + ((rebased >> 13) & 1u)) >> 13;
  }
};

}  // namespace tk
