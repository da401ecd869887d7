#include "autograd/ops/reduce.h"

#include "autograd/ops/elementwise.h"
#include "tensor/ops/reduce.h"

namespace tk {

Variable sum(const Variable& x, const Dims& dims, bool keepdim) {
  return record("sum", sum(x.value(), dims, keepdim), {x}, [dims, shape = x.shape()](const Tensor& dy) -> Tensors {
    return {with_reduced_dims(dy, shape, dims).expand(shape)};
  });
}

Variable mean(const Variable& x, const Dims& dims, bool keepdim) {
  const Variable total = sum(x, dims, keepdim);
  TK_CHECK(x.numel() > 0 || total.numel() == 0, "mean: expected at least one element, got shape ", x.shape());
  return total.numel() == 0 ? total : total * (static_cast<double>(total.numel()) / static_cast<double>(x.numel()));
}

Variable max(const Variable& x, const Dims& dims, bool keepdim) {
  return record("max", max(x.value(), dims, keepdim), {x},
                [dims, x = Saved(x)](const Tensor& dy) -> Tensors { return {max_backward(dy, x, dims)}; });
}

Variable min(const Variable& x, const Dims& dims, bool keepdim) { return -max(-x, dims, keepdim); }

Variable var(const Variable& x, const Dims& dims, bool keepdim, double correction) {
  const Variable total = sum(square(x - mean(x, dims, true)), dims, keepdim);
  if (total.numel() == 0) return total;
  return total / (static_cast<double>(x.numel()) / static_cast<double>(total.numel()) - correction);
}

Variable logsumexp(const Variable& x, const Dims& dims, bool keepdim) {
  const Tensor y = logsumexp(x.value(), dims, keepdim);
  return record("logsumexp", y, {x}, [dims, x = Saved(x), y = Saved(y)](const Tensor& dy) -> Tensors {
    const Tensor from = x;
    const auto wide = [&](const Tensor& reduced) { return with_reduced_dims(reduced, from.shape(), dims); };
    return {wide(dy) * exp(from - wide(y))};  // dx = dy softmax(x)
  });
}

Variable norm(const Variable& x, const Dims& dims, bool keepdim) {
  const Tensor y = norm(x.value(), dims, keepdim);
  return record("norm", y, {x}, [dims, x = Saved(x), y = Saved(y)](const Tensor& dy) -> Tensors {
    const Tensor from = x, norms = y;
    const Tensor slope = where(eq(norms, 0), 0, dy / norms);
    return {from * with_reduced_dims(slope, from.shape(), dims)};  // dx = dy x / y
  });
}

Variable segment_sum(const Variable& x, const Tensor& offsets) {
  return record("segment_sum", segment_sum(x.value(), offsets), {x},
                [offsets = Saved(offsets), n = x.numel()](const Tensor& dy) -> Tensors {
                  return {segment_broadcast(dy, offsets, n)};
                });
}

}  // namespace tk
