#include "autograd/ops/dropout.h"

#include "tensor/ops/dropout.h"

namespace tk {

Variable dropout(const Variable& x, const DropoutKey& key) {
  if (key.p == 0) return x;
  return record("dropout", dropout(x.value(), key), {x},
                [key](const Tensor& dy) -> Tensors { return {dropout(dy, key)}; });
}

}  // namespace tk
