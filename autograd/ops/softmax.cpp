#include "autograd/ops/softmax.h"

#include "tensor/ops/softmax.h"

namespace tk {

Variable softmax(const Variable& x) {
  const Tensor y = softmax(x.value());
  return record("softmax", y, {x}, [y = Saved(y)](const Tensor& dy) -> Tensors { return {softmax_backward(dy, y)}; });
}

Variable log_softmax(const Variable& x) {
  const Tensor y = log_softmax(x.value());
  return record("log_softmax", y, {x},
                [y = Saved(y)](const Tensor& dy) -> Tensors { return {log_softmax_backward(dy, y)}; });
}

}  // namespace tk
