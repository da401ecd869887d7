#include "tensor/ops/join.h"

#include <algorithm>

namespace tk {

Tensor join(std::span<const Tensor> parts, std::int64_t dim) {
  TK_CHECK(!parts.empty(), "join: expected at least one tensor, got none");
  dim = normalize_dim("join", dim, parts[0].rank());
  Shape shape = parts[0].shape();
  shape[dim] = 0;
  for (const Tensor& part : parts) {
    TK_CHECK(part.rank() == shape.rank() && part.dtype() == parts[0].dtype() &&
                 part.shape().without(dim) == shape.without(dim),
             "join: ", part.dtype(), ' ', part.shape(), " does not fit ", parts[0].dtype(), ' ', parts[0].shape(),
             " along dimension ", dim);
    shape[dim] += part.shape()[dim];
  }
  const Tensor y = empty(shape, parts[0].dtype(), parts[0].device());
  std::int64_t start = 0;
  for (const Tensor& part : parts) {
    y.narrow(dim, start, part.shape()[dim]).copy_from(part);
    start += part.shape()[dim];
  }
  return y;
}

Tensor stack(std::span<const Tensor> parts, std::int64_t dim) {
  Tensors unsqueezed;
  for (const Tensor& part : parts) unsqueezed.push_back(part.unsqueeze(dim));
  return join(unsqueezed, dim);
}

Tensors split(const Tensor& x, std::int64_t size, std::int64_t dim) {
  dim = normalize_dim("split", dim, x.rank());
  TK_CHECK(size > 0, "split: expected a size of at least 1, got ", size);
  Tensors parts;
  for (std::int64_t start = 0; start < x.shape()[dim]; start += size) {
    parts.push_back(x.narrow(dim, start, std::min(size, x.shape()[dim] - start)));
  }
  return parts;
}

}  // namespace tk
