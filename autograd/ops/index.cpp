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

Variable index_copy(const Variable& x, const Tensor& index, const Variable& rows) {
  return record("index_copy", index_copy(x.value(), index, rows.value()), {x, rows},
                [index = Saved(index)](const Tensor& dy, Destinations& to) {
                  const Tensor drows = index_select(dy, index);
                  if (to.wanted(0)) to.add(0, index_copy(dy, index, zeros_like(drows)));
                  if (to.wanted(1)) to.add(1, drows);
                });
}

}  // namespace tk
