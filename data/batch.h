#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "data/example.h"
#include "tensor/packed.h"
#include "tensor/tensor.h"

namespace tk {

/// What a model reads in one step, on the CPU: the tokens of all sentences one after the other, without padding.
struct Batch {
  Packed packed;
  Tensor input_ids;                   ///< [tokens] int32
  Tensor token_types;                 ///< [tokens] int32
  Tensor labels;                      ///< [sentences] int32 class ids, or float32 for regression; -1 = none
  std::vector<std::int64_t> lengths;  ///< tokens of each sentence
};

/// Packs the examples at `indices`, in that order; throws when an index is out of range.
Batch make_batch(std::span<const TokenizedExample> examples, std::span<const std::int64_t> indices, bool regression);

/// The batch with dummy rows at its end that belong to no sentence, up to `tokens` rows, and with `longest` as its
/// bound: the shape that a recorded step has. Throws when the batch has more.
Batch with_dummy_rows(const Batch& batch, std::int64_t tokens, std::int64_t longest);

}  // namespace tk
