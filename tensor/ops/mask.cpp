#include "tensor/ops/mask.h"

#include <algorithm>

#include "tensor/error.h"
#include "tensor/ops/elementwise.h"

namespace tk {
namespace {

// start, start + 1, ...
Tensor counting(std::int64_t start, std::int64_t n, Device device) {
  return arange(start + n, DType::kInt64, device).narrow(0, start, n);
}

// Of the matrices of x.
Tensor triangle_of(const char* op, const Tensor& x, std::int64_t k) {
  TK_CHECK(x.rank() >= 2, op, ": expected matrices, got ", x.shape());
  return upper_triangle(x.size(-2), x.size(-1), k, x.device());
}

}  // namespace

Tensor masked_fill(const Tensor& x, const Tensor& mask, double value) { return where(mask, value, x); }

Tensor upper_triangle(std::int64_t rows, std::int64_t cols, std::int64_t k, Device device) {
  const Tensor row = counting(std::max<std::int64_t>(k, 0), rows, device).unsqueeze(1);
  return greater_equal(counting(std::max<std::int64_t>(-k, 0), cols, device), row);
}

Tensor triu(const Tensor& x, std::int64_t k) { return where(triangle_of("triu", x, k), x, 0); }

Tensor tril(const Tensor& x, std::int64_t k) { return where(triangle_of("tril", x, k + 1), 0, x); }

Tensor eye(std::int64_t n, DType dtype, Device device) { return one_hot(arange(n, DType::kInt64, device), n, dtype); }

Tensor one_hot(const Tensor& labels, std::int64_t classes, DType dtype) {
  TK_CHECK(labels.dtype() == DType::kInt32 || labels.dtype() == DType::kInt64,
           "one_hot: expected int32 or int64 labels, got ", labels.dtype());
  return eq(labels.unsqueeze(-1), arange(classes, labels.dtype(), labels.device())).to(dtype);
}

}  // namespace tk
