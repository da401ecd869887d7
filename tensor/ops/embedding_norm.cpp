#include "tensor/ops/embedding_norm.h"

#include "tensor/kernels.h"
#include "tensor/ops/layer_norm.h"

namespace tk {

bool has_embedding_norm(Device device, DType dtype) { return device == Device::kCuda && dtype == DType::kBFloat16; }

Tensor embedding_norm(const EmbeddingRows& word, const EmbeddingRows& position, const EmbeddingRows& type,
                      const Tensor& gamma, const Tensor& beta, double epsilon) {
  constexpr const char* kOp = "embedding_norm";
  const Tensor& table = word.table;
  for (const EmbeddingRows& rows : {word, position, type}) {
    TK_CHECK(
        rows.table.rank() == 2 && rows.table.dtype() == DType::kFloat32 && rows.table.shape()[1] == table.shape()[1],
        kOp, ": expected float32 tables of rows of one length, got ", rows.table.dtype(), ' ', rows.table.shape());
    TK_CHECK(rows.ids.rank() == 1 && rows.ids.dtype() == DType::kInt32 && rows.ids.shape() == word.ids.shape(), kOp,
             ": expected int32 ids of one number, got ", rows.ids.dtype(), ' ', rows.ids.shape());
  }
  TK_CHECK(has_embedding_norm(table.device(), DType::kBFloat16), kOp, ": no kernel on ", table.device());
  check_layer_norm(kOp, table, gamma, beta);
  Tensor y = empty({word.ids.numel(), table.shape()[1]}, DType::kBFloat16, table.device());
  embedding_norm_kernel(table.device(), y, table.contiguous(), position.table.contiguous(), type.table.contiguous(),
                        word.ids.contiguous(), position.ids.contiguous(), type.ids.contiguous(), gamma.contiguous(),
                        beta.contiguous(), epsilon);
  return y;
}

}  // namespace tk
