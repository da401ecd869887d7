#include "tensor/ops/embedding_projection.h"

#include <array>

#include "tensor/kernels.h"

namespace tk {

Tensor embedding_projection(const EmbeddingRows& word, const EmbeddingRows& position, const EmbeddingRows& type,
                            const Tensor& rstd, const Tensor& bias) {
  constexpr const char* kOp = "embedding_projection";
  check_embedding_rows(kOp, std::array{word, position, type});
  const std::int64_t n = word.ids.numel(), cols = word.table.shape()[1];
  TK_CHECK(rstd.shape() == Shape{n} && bias.shape() == Shape{cols} && rstd.dtype() == DType::kFloat32 &&
               bias.dtype() == DType::kFloat32,
           kOp, ": expected float32 rstd [", n, "] and bias [", cols, "], got ", rstd.dtype(), ' ', rstd.shape(),
           " and ", bias.dtype(), ' ', bias.shape());
  Tensor y = empty({n, cols}, DType::kFloat32, bias.device());
  embedding_projection_kernel(bias.device(), y, word.table.contiguous(), position.table.contiguous(),
                              type.table.contiguous(), word.ids.contiguous(), position.ids.contiguous(),
                              type.ids.contiguous(), rstd.contiguous(), bias.contiguous());
  return y;
}

}  // namespace tk
