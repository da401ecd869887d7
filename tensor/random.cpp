#include "tensor/random.h"

#include <cmath>
#include <numbers>

#include "tensor/error.h"

namespace tk {

std::uint32_t Generator::next_word() {
  if (used_ % 4 == 0) {
    const std::uint64_t block = used_ / 4;
    block_ = philox(seed_, static_cast<std::uint32_t>(block >> 32), sequence_, stream_,
                    static_cast<std::uint32_t>(block));
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
