#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "data/example.h"
#include "tensor/packed.h"
#include "tensor/tensor.h"

namespace tk {

/// What one step reads: the tokens of all sentences one after the other, without padding, and what is to be learnt.
struct Batch {
  TaskKind kind = TaskKind::kClassification;
  PackedTokens tokens;
  Tensor labels;   ///< [sentences] int32 class ids, or float32 for regression, or [tokens] int32 in tasks of tokens, or
                   ///< [sentences, outputs] int32 zeros and ones in tasks of several labels; -1 = none
  Tensor teacher;  ///< [rows of labels, outputs] float32: a teacher's logits; undefined without one
  std::vector<std::int64_t> lengths;  ///< tokens of each sentence
  Tensor memory;                      ///< of all tensors above, which lie side by side: one copy moves them

  std::int64_t sentences() const { return tokens.rows.sentences; }
};

/// Packs the examples at `indices`, in that order, on the CPU; `teacher` is copied, and may be undefined. Throws when
/// an index is out of range, a sentence is longer than positions reach, an example's ids, types and labels differ in
/// number, or the teacher has not a row for each row of labels.
Batch make_batch(std::span<const TokenizedExample> examples, std::span<const std::int64_t> indices, TaskKind kind,
                 const Tensor& teacher = {});

/// The batch with dummy rows at its end that belong to no sentence and have no label, up to `tokens` rows: the shape
/// that a recorded step has. Throws when the batch has more.
Batch with_dummy_rows(const Batch& batch, std::int64_t tokens);

/// The same batch on another device.
Batch to(const Batch& batch, Device device);
/// Writes a batch over another of the same shape, which may lie on another device.
void overwrite(const Batch& batch, const Batch& source);

}  // namespace tk
