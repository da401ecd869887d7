#include "tensor/ops/dropout.h"

#include "tensor/kernels.h"

namespace tk {

void check_dropout(const char* op, const DropoutKey& key, std::int64_t rows) {
  TK_CHECK(key.p >= 0 && key.p < 1, op, ": expected a dropout rate in [0, 1), got ", key.p);
  if (key.p == 0) return;
  TK_CHECK(key.state.defined(), op, ": dropout needs a step state");
  TK_CHECK(key.example.shape() == Shape{rows} && key.position.shape() == Shape{rows}, op, ": expected ids of ", rows,
           " rows for dropout, got ", key.example.shape(), " and ", key.position.shape());
}

Tensor dropout(const Tensor& x, const DropoutKey& key) {
  TK_CHECK(x.rank() == 2, "dropout: expected [rows, cols], got ", x.shape());
  check_dropout("dropout", key, x.shape()[0]);
  if (key.p == 0) return x;
  Tensor y = empty_like(x);
  dropout_kernel(x.device(), y, x.contiguous(), key);
  return y;
}

}  // namespace tk
