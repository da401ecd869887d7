#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "tensor/tensor.h"

namespace tk {

/// Which tokens lie nearest to a token in a table of embeddings: those of largest cosine.
class Neighbours {
 public:
  static constexpr std::int64_t kCount = 15;

  /// None for any token.
  Neighbours() = default;
  /// For each of `tokens` the `count` nearest `candidates`, itself apart; of equally near ones the smaller id comes
  /// first. embeddings: [vocabulary, width] float32 on the CPU. Beside the result it needs memory for one normalised
  /// copy of the candidates and for a block of cosines, whatever the number of tokens. Throws on an id out of range.
  Neighbours(const Tensor& embeddings, std::span<const std::int32_t> tokens, std::span<const std::int32_t> candidates,
             std::int64_t count = kCount);

  /// Nearest first; empty for a token that was not asked about.
  std::span<const std::int32_t> of(std::int32_t token) const;

 private:
  std::vector<std::int32_t> rows_;     // of each id: its row below, or -1
  std::vector<std::int32_t> nearest_;  // [rows, width_], -1 where there are fewer candidates
  std::int64_t width_ = 0;
};

}  // namespace tk
