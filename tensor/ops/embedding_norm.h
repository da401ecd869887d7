#pragma once

#include <span>

#include "tensor/tensor.h"

namespace tk {

/// A table [entries, dim] of float32 and int32 ids [n] of its rows; one of -1 adds nothing.
struct EmbeddingRows {
  Tensor table;
  Tensor ids;
};

/// Throws "<op>: ..." unless the tables are float32 and have rows of one length, and there are as many ids of each.
void check_embedding_rows(const char* op, std::span<const EmbeddingRows> all);

/// Whether embedding_norm has a kernel: on CUDA, for results of bfloat16. Elsewhere ask op by op.
bool has_embedding_norm(Device device, DType dtype);

/// LN(word + position + type) of the rows named, as bfloat16: the bits of index_select, add, layer_norm and a
/// conversion. For evaluation: nothing is kept for a backward. Throws unless has_embedding_norm.
Tensor embedding_norm(const EmbeddingRows& word, const EmbeddingRows& position, const EmbeddingRows& type,
                      const Tensor& gamma, const Tensor& beta, double epsilon);

}  // namespace tk
