#include "tensor/ops/embedding_norm.h"

#include <array>

#include "tensor/kernels.h"
#include "tensor/ops/layer_norm.h"

namespace tk {

bool has_embedding_norm(Device device, DType dtype) { return device == Device::kCuda && dtype == DType::kBFloat16; }

void check_embedding_rows(const char* op, std::span<const EmbeddingRows> all) {
  const EmbeddingRows& first = all.front();
  for (const EmbeddingRows& rows : all) {
    TK_CHECK(rows.table.rank() == 2 && rows.table.dtype() == DType::kFloat32 &&
                 rows.table.shape()[1] == first.table.shape()[1],
             op, ": expected float32 tables of rows of one length, got ", rows.table.dtype(), ' ', rows.table.shape());
    TK_CHECK(rows.ids.rank() == 1 && rows.ids.dtype() == DType::kInt32 && rows.ids.shape() == first.ids.shape(), op,
             ": expected int32 ids of one number, got ", rows.ids.dtype(), ' ', rows.ids.shape());
  }
}

Tensor embedding_norm(const EmbeddingRows& word, const EmbeddingRows& position, const EmbeddingRows& type,
                      const Tensor& gamma, const Tensor& beta, double epsilon) {
  constexpr const char* kOp = "embedding_norm";
  const Tensor& table = word.table;
  check_embedding_rows(kOp, std::array{word, position, type});
  TK_CHECK(has_embedding_norm(table.device(), DType::kBFloat16), kOp, ": no kernel on ", table.device());
  check_layer_norm(kOp, table, gamma, beta);
  Tensor y = empty({word.ids.numel(), table.shape()[1]}, DType::kBFloat16, table.device());
  embedding_norm_kernel(table.device(), y, table.contiguous(), position.table.contiguous(), type.table.contiguous(),
                        word.ids.contiguous(), position.ids.contiguous(), type.ids.contiguous(), gamma.contiguous(),
                        beta.contiguous(), epsilon);
  return y;
}

}  // namespace tk
