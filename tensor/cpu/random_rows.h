#pragma once

#include <cstdint>

#include "tensor/kernel_arguments.h"
#include "tensor/step_state.h"

namespace tk::cpu {

/// words[4 b + j] = word j of philox(key, c0, c1, c2, first_block + b) for b < blocks.
void philox_words(std::uint32_t* words, std::int64_t blocks, std::uint64_t key, std::uint32_t c0, std::uint32_t c1,
                  std::uint32_t c2, std::uint32_t first_block);

/// Rows that draw one block each: words[j][i] = word j of philox(seed, step, example[i], word[i], block[i]).
struct RowBlocks {
  static constexpr std::int64_t kMost = 512;

  std::uint32_t example[kMost];
  std::uint32_t word[kMost];  ///< stream | position
  std::uint32_t block[kMost];
  std::uint32_t words[4][kMost];

  /// The same for block[i] + more, of the first n rows.
  void draw(std::uint64_t seed, std::uint32_t step, std::uint32_t more, std::int64_t n);
};

/// A DropoutKey resolved on the host: which numbers a row draws, and which words mean "keep".
struct RandomRows {
  std::uint64_t seed = 0;
  std::uint32_t step = 0;
  std::uint32_t stream = 0;
  const std::int32_t* example = nullptr;
  const std::int32_t* position = nullptr;
  std::uint32_t threshold = 0;  // a word below it is dropped: floor(p 2^32)
  float keep_scale = 1;         // 1 / (1 - p)

  explicit RandomRows(const DropoutKey& key);
  /// The first 4 `blocks` words of a row's stream, from block `first` on.
  void words(std::uint32_t* words, std::int64_t row, std::int64_t blocks, std::uint32_t first = 0) const;
};

/// The noise of gates z: as given, or drawn by the key where it is undefined.
Tensor noise_of_gates(const Tensor& z, const Tensor& noise, const DropoutKey& drawn);

}  // namespace tk::cpu
