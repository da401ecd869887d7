#include "autograd/ops/join.h"

#include "autograd/ops/shape.h"
#include "tensor/ops/join.h"

namespace tk {

Variable join(std::span<const Variable> parts, std::int64_t dim) {
  Tensors values;
  std::vector<std::int64_t> extents;
  for (const Variable& part : parts) values.push_back(part.value());
  const Tensor y = join(values, dim);
  dim = normalize_dim("join", dim, y.rank());
  for (const Tensor& value : values) extents.push_back(value.shape()[dim]);
  return record_node("join", y, parts, [dim, extents](const Tensor& dy, Destinations& to) {
    std::int64_t start = 0;
    for (std::size_t i = 0; i < extents.size(); ++i) {
      if (to.wanted(i)) to.add(i, dy.narrow(dim, start, extents[i]));
      start += extents[i];
    }
  });
}

Variable stack(std::span<const Variable> parts, std::int64_t dim) {
  Variables unsqueezed;
  for (const Variable& part : parts) unsqueezed.push_back(unsqueeze(part, dim));
  return join(unsqueezed, dim);
}

}  // namespace tk
