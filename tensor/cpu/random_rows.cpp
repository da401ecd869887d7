#include "tensor/cpu/random_rows.h"

#include "tensor/cpu/simd.h"

namespace tk::cpu {

TK_SIMD void philox_words(std::uint32_t* words, std::int64_t blocks, std::uint64_t key, std::uint32_t c0,
                          std::uint32_t c1, std::uint32_t c2, std::uint32_t first_block) {
  for (std::int64_t b = 0; b < blocks; ++b) {
    const Philox x = philox(key, c0, c1, c2, first_block + static_cast<std::uint32_t>(b));
    for (int j = 0; j < 4; ++j) words[4 * b + j] = x.word[j];
  }
}

RandomRows::RandomRows(const DropoutKey& key) {
  if (!key.state.defined()) return;
  const StepState& state = step_state(key.state);
  seed = state.seed;
  step = static_cast<std::uint32_t>(state.step);
  stream = key.stream.word();
  example = key.example.data<std::int32_t>();
  position = key.position.data<std::int32_t>();
  threshold = key.threshold();
  keep_scale = key.keep_scale();
}

void RandomRows::words(std::uint32_t* words, std::int64_t row, std::int64_t blocks, std::uint32_t first) const {
  philox_words(words, blocks, seed, step, static_cast<std::uint32_t>(example[row]),
               stream | static_cast<std::uint32_t>(position[row]), first);
}

}  // namespace tk::cpu
