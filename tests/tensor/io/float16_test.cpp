#include "tensor/io/float16.h"

#include <cmath>
#include <limits>

#include "tests/support/catch.h"

using tk::Float16;

namespace {

Float16 from_bits(unsigned bits) {
  Float16 half;
  half.bits = static_cast<std::uint16_t>(bits);
  return half;
}

// IEEE 754-2008, 3.4: (-1)^s 2^(e - 15) (1 + m / 1024), and (-1)^s 2^-14 (m / 1024) for e = 0.
double reference(unsigned bits) {
  const double sign = (bits & 0x8000u) != 0 ? -1 : 1;
  const int e = static_cast<int>((bits >> 10) & 31u);
  const double m = (bits & 1023u) / 1024.0;
  if (e == 31) return m == 0 ? sign * HUGE_VAL : std::numeric_limits<double>::quiet_NaN();
  return sign * (e == 0 ? std::ldexp(m, -14) : std::ldexp(1 + m, e - 15));
}

}  // namespace

TEST_CASE("float16: all 65536 values are the formula's, and convert back to the same bits") {
  unsigned wrong_values = 0;
  unsigned wrong_bits = 0;
  for (unsigned bits = 0; bits < 65536; ++bits) {
    const auto value = static_cast<float>(from_bits(bits));
    const double expected = reference(bits);
    if (std::isnan(expected)) {
      wrong_values += !std::isnan(value);
      wrong_bits += !std::isnan(static_cast<float>(Float16(value)));
    } else {
      wrong_values += value != expected || std::signbit(value) != std::signbit(expected);
      wrong_bits += Float16(value).bits != bits;
    }
  }
  CHECK(wrong_values == 0);
  CHECK(wrong_bits == 0);
}

TEST_CASE("float16: rounds to nearest, ties to even, between all neighbours") {
  unsigned wrong = 0;
  for (unsigned low = 0; low < 0x7bffu; ++low) {
    const unsigned even = low % 2 == 0 ? low : low + 1;
    const auto middle = static_cast<float>((reference(low) + reference(low + 1)) / 2);
    wrong += Float16(middle).bits != even;
    wrong += Float16(-middle).bits != (even | 0x8000u);
    wrong += Float16(std::nextafter(middle, 0.0f)).bits != low;
    wrong += Float16(std::nextafter(middle, HUGE_VALF)).bits != low + 1;
  }
  CHECK(wrong == 0);
}

TEST_CASE("float16: what is too large becomes infinity and what is too small zero") {
  CHECK(Float16(65519.0f).bits == 0x7bff);
  CHECK(Float16(65520.0f).bits == 0x7c00);
  CHECK(Float16(-1e30f).bits == 0xfc00);
  CHECK(Float16(HUGE_VALF).is_infinite());
  CHECK_FALSE(Float16(65504.0f).is_infinite());
  CHECK(Float16(0x1p-25f).bits == 0);
  CHECK(Float16(-1e-30f).bits == 0x8000);
}
