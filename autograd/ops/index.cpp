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

}  // namespace tk
