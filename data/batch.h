#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "data/example.h"
#include "tensor/packed.h"
#include "tensor/tensor.h"

namespace tk {

/// What a model reads in one step: the tokens of all sentences one after the other, without padding.
struct Batch {
  Packed packed;
  Tensor input_ids;                   ///< [tokens] int32
  Tensor token_types;                 ///< [tokens] int32
  Tensor labels;                      ///< [sentences] int32 class ids, or float32 for regression; -1 = none
  std::vector<std::int64_t> lengths;  ///< tokens of each sentence
  Tensor memory;                      ///< of all tensors above, which lie side by side: one copy moves them
};

/// Packs the examples at `indices`, in that order, on the CPU; throws when an index is out of range.
Batch make_batch(std::span<const TokenizedExample> examples, std::span<const std::int64_t> indices, bool regression);

/// The batch with dummy rows at its end that belong to no sentence, up to `tokens` rows: the shape that a recorded step
/// has. Throws when the batch has more.
Batch with_dummy_rows(const Batch& batch, std::int64_t tokens);

/// The same batch on another device.
Batch to(const Batch& batch, Device device);
/// Writes a batch over another of the same shape, which may lie on another device.
void overwrite(const Batch& batch, const Batch& source);

}  // namespace tk
