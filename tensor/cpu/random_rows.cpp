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

namespace {

TK_SIMD void draw_rows(RowBlocks& rows, std::uint64_t seed, std::uint32_t step, std::uint32_t more, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) {
    const Philox x = philox(seed, step, rows.example[i], rows.word[i], rows.block[i] + more);
    for (int j = 0; j < 4; ++j) rows.words[j][i] = x.word[j];
  }
}

}  // namespace

void RowBlocks::draw(std::uint64_t seed, std::uint32_t step, std::uint32_t more, std::int64_t n) {
  draw_rows(*this, seed, step, more, n);
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
