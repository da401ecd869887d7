#include "tensor/ops/sort.h"

#include "tensor/kernels.h"
#include "tensor/ops/index.h"

namespace tk {

Tensor argsort(const Tensor& x, std::int64_t dim, bool descending) {
  dim = normalize_dim("sort", dim, x.rank());
  const Tensor rows = x.transpose(dim, -1).contiguous();
  Tensor index = empty(rows.shape(), DType::kInt64, x.device());
  argsort_rows_kernel(x.device(), index, rows, descending);
  return index.transpose(dim, -1);
}

Sorted sort(const Tensor& x, std::int64_t dim, bool descending) {
  const Tensor index = argsort(x, dim, descending);
  return {gather(x, dim, index), index};
}

Sorted topk(const Tensor& x, std::int64_t k, std::int64_t dim) {
  dim = normalize_dim("topk", dim, x.rank());
  TK_CHECK(0 <= k && k <= x.shape()[dim], "topk: ", k, " is out of range for dimension ", dim, " of size ",
           x.shape()[dim]);
  const Tensor index = argsort(x, dim, true).narrow(dim, 0, k);
  return {gather(x, dim, index), index};
}

}  // namespace tk
