#pragma once

#include "tensor/ops/embedding_norm.h"

namespace tk {

/// y[r] = rstd[r] (word + position + type) + bias, of the rows of three tables that ids name: a linear layer behind the
/// layer norm of a sum of embeddings, where the tables hold the embeddings' products (transkimmer/embedding_tables.h).
/// rstd [n], bias [cols]; float32 on the CPU. Throws on an id that a table does not have; one of -1 adds nothing.
Tensor embedding_projection(const EmbeddingRows& word, const EmbeddingRows& position, const EmbeddingRows& type,
                            const Tensor& rstd, const Tensor& bias);

}  // namespace tk
