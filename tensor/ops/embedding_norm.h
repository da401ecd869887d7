#pragma once

#include <span>

#include "tensor/tensor.h"

namespace tk {

/// A table [entries, dim] of float32 and int32 ids [n] of its rows; one of -1 adds nothing. One of int8 has a scale for
/// each row.
struct EmbeddingRows {
  Tensor table;
  Tensor ids;
  Tensor scale = {};  ///< [entries, 1] float32, or undefined
};

/// Throws "<op>: ..." unless the tables are float32 and have rows of one length, and there are as many ids of each.
void check_embedding_rows(const char* op, std::span<const EmbeddingRows> all);

/// Whether embedding_norm has a kernel: on CUDA for results of bfloat16, on the CPU for those of float32. Elsewhere ask
/// op by op.
bool has_embedding_norm(Device device, DType dtype);

/// LN(word + position + type) of the rows named, in the dtype for which there is a kernel: the bits of index_select (or
/// dequantize_rows: on the CPU words may be int8), add, layer_norm and a conversion. For evaluation: nothing is kept
/// for a backward. Throws on an id out of range.
Tensor embedding_norm(const EmbeddingRows& word, const EmbeddingRows& position, const EmbeddingRows& type,
                      const Tensor& gamma, const Tensor& beta, double epsilon);

}  // namespace tk
