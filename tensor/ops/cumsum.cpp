#include "tensor/ops/cumsum.h"

#include "tensor/kernels.h"

namespace tk {

Tensor cumsum(const Tensor& x, std::int64_t dim, bool reverse) {
  dim = normalize_dim("cumsum", dim, x.rank());
  const Tensor rows = x.transpose(dim, -1).contiguous();
  Tensor y = empty_like(rows);
  cumsum_rows_kernel(x.device(), y, rows, reverse);
  return y.transpose(dim, -1);
}

}  // namespace tk
