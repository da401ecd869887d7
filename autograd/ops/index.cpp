#include "autograd/ops/index.h"

#include "tensor/ops/index.h"

namespace tk {

Variable index_select(const Variable& x, const Tensor& index) {
  return record("index_select", index_select(x.value(), index), {x},
                [index = Saved(index), rows = x.shape()[0]](const Tensor& dy, Destinations& to) {
                  if (to.sparse_allowed(0)) {
                    to.add_sparse(0, {index.get().to(DType::kInt32), dy.contiguous()});
                  } else {
                    to.add(0, index_add(dy, index, rows));
                  }
                });
}

Variable take_rows(const Variable& x, const Tensor& rows) {
  return record("take_rows", index_select(x.value(), rows), {x},
                [rows = Saved(rows)](const Tensor& dy, Destinations& to) { spread_rows(to.target(0), dy, rows); });
}

Variable index_copy(const Variable& x, const Tensor& index, const Variable& rows) {
  return record("index_copy", index_copy(x.value(), index, rows.value()), {x, rows},
                [index = Saved(index)](const Tensor& dy, Destinations& to) {
                  const Tensor drows = index_select(dy, index);
                  if (to.wanted(0)) to.add(0, index_copy(dy, index, zeros_like(drows)));
                  if (to.wanted(1)) to.add(1, drows);
                });
}

Variable index_add(const Variable& x, const Tensor& index, const Variable& rows) {
  const Tensor y = x.value().clone();
  index_add_to(y, rows.value(), index);
  return record("index_add", y, {x, rows}, [index = Saved(index)](const Tensor& dy, Destinations& to) {
    if (to.wanted(0)) to.add(0, dy);
    if (to.wanted(1)) to.add(1, index_select(dy, index));
  });
}

Variable gather(const Variable& x, std::int64_t dim, const Tensor& index) {
  return record("gather", gather(x.value(), dim, index), {x},
                [dim, index = Saved(index), extent = x.size(dim)](const Tensor& dy) -> Tensors {
                  return {scatter_add(dy, dim, index, extent)};
                });
}

}  // namespace tk
