#include "tensor/ops/embedding_norm.h"

#include <array>

#include "tensor/kernels.h"
#include "tensor/ops/layer_norm.h"

namespace tk {

namespace {

DType dtype_of_norm(Device device) { return device == Device::kCpu ? DType::kFloat32 : DType::kBFloat16; }

}  // namespace

bool has_embedding_norm(Device device, DType dtype) { return dtype == dtype_of_norm(device); }

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
  const Tensor& table = position.table;
  if (word.scale.defined()) {
    const Shape expected{word.table.shape()[0], 1}, rows{expected[0], table.shape()[1]};
    TK_CHECK(table.device() == Device::kCpu && word.table.dtype() == DType::kInt8 && word.table.shape() == rows &&
                 word.scale.dtype() == DType::kFloat32 && word.scale.shape() == expected,
             kOp, ": expected int8 words ", rows, " with float32 scales ", expected, " on the cpu, got ",
             word.table.dtype(), ' ', word.table.shape(), " with ", word.scale.dtype(), ' ', word.scale.shape(), " on ",
             table.device());
    check_embedding_rows(kOp, std::array{position, type, EmbeddingRows{table, word.ids}});
  } else {
    check_embedding_rows(kOp, std::array{word, position, type});
  }
  check_layer_norm(kOp, table, gamma, beta);
  Tensor y = empty({word.ids.numel(), table.shape()[1]}, dtype_of_norm(table.device()), table.device());
  embedding_norm_kernel(table.device(), y, word.table.contiguous(), word.scale, position.table.contiguous(),
                        type.table.contiguous(), word.ids.contiguous(), position.ids.contiguous(),
                        type.ids.contiguous(), gamma.contiguous(), beta.contiguous(), epsilon);
  return y;
}

}  // namespace tk
