#include "autograd/ops/dropout.h"

#include "autograd/ops/shape.h"
#include "tensor/ops/dropout.h"

namespace tk {

Variable dropout(const Variable& x, const DropoutKey& key) {
  if (key.p == 0) return x;
  return record("dropout", dropout(x.value(), key), {x},
                [key](const Tensor& dy) -> Tensors { return {dropout(dy, key)}; });
}

Variable dropout(const Variable& x, double p, const Draw& draw) {
  const DropoutKey key = key_of(draw, x.shape(), x.device(), p);
  const std::int64_t cols = x.shape().rank() == 0 ? 1 : x.shape().back();
  return reshape(dropout(reshape(x, {key.example.numel(), cols}), key), x.shape());
}

}  // namespace tk
