#include "autograd/ops/shape.h"

#include "tensor/ops/reduce.h"

namespace tk {

Variable reshape(const Variable& x, const Shape& shape) {
  return record("reshape", x.value().reshape(shape), {x},
                [from = x.shape()](const Tensor& dy) -> Tensors { return {dy.reshape(from)}; });
}

Variable transpose(const Variable& x, std::int64_t a, std::int64_t b) {
  return record("transpose", x.value().transpose(a, b), {x},
                [a, b](const Tensor& dy) -> Tensors { return {dy.transpose(a, b)}; });
}

Variable narrow(const Variable& x, std::int64_t dim, std::int64_t start, std::int64_t length) {
  dim = normalize_dim("narrow", dim, x.shape().rank());
  Variable y = record("narrow", x.value().narrow(dim, start, length), {x},
                      [dim, start](const Tensor& dy, Destinations& to) { to.add_range(0, dim, start, dy); });
  if (y.requires_grad()) y.node()->dtype = x.node()->dtype;  // a bfloat16 parameter's gradient is float32
  return y;
}

Variable expand(const Variable& x, const Shape& shape) {
  return record("expand", x.value().expand(shape), {x},
                [from = x.shape()](const Tensor& dy) -> Tensors { return {sum_to(dy, from)}; });
}

}  // namespace tk
