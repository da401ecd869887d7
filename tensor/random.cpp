#include "tensor/random.h"

#include <cmath>
#include <numbers>

#include "tensor/error.h"

namespace tk {

Stream::Stream(Purpose purpose, std::int64_t layer, std::int64_t slot) {
  TK_CHECK(layer >= 0 && layer < kLayers, "Stream: expected a layer below ", int{kLayers}, ", got ", layer);
  TK_CHECK(slot >= 0 && slot < kSlots, "Stream: expected a slot below ", int{kSlots}, ", got ", slot);
  static_assert(static_cast<std::uint32_t>(Purpose::kBudget) < 16);  // the last one
  word_ = static_cast<std::uint32_t>(purpose) << 28 | static_cast<std::uint32_t>(slot) << 24 |
          static_cast<std::uint32_t>(layer) << 16;
}

std::uint32_t Generator::next_word() {
  if (used_ % 4 == 0) {
    const std::uint64_t block = used_ / 4;
    block_ =
        philox(seed_, static_cast<std::uint32_t>(block >> 32), sequence_, stream_, static_cast<std::uint32_t>(block));
  }
  return block_.word[used_++ % 4];
}

float Generator::normal() {
  const float radius = std::sqrt(-2.0f * std::log(uniform()));
  return radius * std::cos(2.0f * std::numbers::pi_v<float> * uniform());
}

std::uint32_t Generator::below(std::uint32_t bound) {
  TK_CHECK(bound >= 1, "Generator::below: expected a bound of at least 1, got 0");
  // Words beyond the largest multiple of bound would favour small results; draw again (Lemire's rejection threshold).
  const std::uint32_t threshold = (0u - bound) % bound;
  std::uint32_t word = next_word();
  while (word < threshold) word = next_word();
  return word % bound;
}

}  // namespace tk
