#include "autograd/ops/mask.h"

#include "autograd/ops/elementwise.h"
#include "tensor/ops/mask.h"

namespace tk {

Variable masked_fill(const Variable& x, const Tensor& mask, double value) { return where(mask, value, x); }

Variable triu(const Variable& x, std::int64_t k) {
  return record("triu", triu(x.value(), k), {x}, [k](const Tensor& dy) -> Tensors { return {triu(dy, k)}; });
}

Variable tril(const Variable& x, std::int64_t k) {
  return record("tril", tril(x.value(), k), {x}, [k](const Tensor& dy) -> Tensors { return {tril(dy, k)}; });
}

}  // namespace tk
