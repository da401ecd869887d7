#include "autograd/ops/to.h"

namespace tk {

Variable to(const Variable& x, DType dtype) {
  if (x.dtype() == dtype) return x;
  TK_CHECK(is_floating(dtype), "to: only floats take gradients, got ", dtype);
  return record("to", x.value().to(dtype), {x},
                [from = x.grad_dtype()](const Tensor& dy) -> Tensors { return {dy.to(from)}; });
}

Variable to(const Variable& x, Device device) {
  if (x.device() == device) return x;
  return record("to", {x.value().to(device), x.grad_dtype()}, {x},
                [from = x.device()](const Tensor& dy) -> Tensors { return {dy.to(from)}; });
}

}  // namespace tk
