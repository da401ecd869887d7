#include "autograd/ops/reduce.h"

#include "autograd/ops/elementwise.h"
#include "tensor/ops/reduce.h"

namespace tk {

Variable sum(const Variable& x) {
  return record("sum", sum(x.value()), {x},
                [shape = x.shape()](const Tensor& dy) -> Tensors { return {dy.expand(shape)}; });
}

Variable sum(const Variable& x, std::int64_t dim) {
  dim = normalize_dim("sum", dim, x.shape().rank());
  return record("sum", sum(x.value(), dim), {x},
                [dim, shape = x.shape()](const Tensor& dy) -> Tensors { return {dy.unsqueeze(dim).expand(shape)}; });
}

Variable mean(const Variable& x) {
  TK_CHECK(x.numel() > 0, "mean: expected at least one element, got shape ", x.shape());
  return sum(x) * (1.0 / static_cast<double>(x.numel()));
}

Variable segment_sum(const Variable& x, const Tensor& offsets) {
  return record("segment_sum", segment_sum(x.value(), offsets), {x},
                [offsets = Saved(offsets), n = x.numel()](const Tensor& dy) -> Tensors {
                  return {segment_broadcast(dy, offsets, n)};
                });
}

}  // namespace tk
