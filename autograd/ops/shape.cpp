#include "autograd/ops/shape.h"

#include "tensor/ops/reduce.h"

namespace tk {
namespace {

// A view's gradient has the dtype of the whole's, for it becomes a part of that.
template <class F>
Variable record_view(const char* name, const Tensor& view, const Variable& x, F backward) {
  return record(name, {view, x.grad_dtype()}, {x}, std::move(backward));
}

}  // namespace

Variable reshape(const Variable& x, const Shape& shape) {
  return record_view("reshape", x.value().reshape(shape), x,
                     [from = x.shape()](const Tensor& dy) -> Tensors { return {dy.reshape(from)}; });
}

Variable transpose(const Variable& x, std::int64_t a, std::int64_t b) {
  return record_view("transpose", x.value().transpose(a, b), x,
                     [a, b](const Tensor& dy) -> Tensors { return {dy.transpose(a, b)}; });
}

Variable narrow(const Variable& x, std::int64_t dim, std::int64_t start, std::int64_t length) {
  dim = normalize_dim("narrow", dim, x.shape().rank());
  return record_view("narrow", x.value().narrow(dim, start, length), x,
                     [dim, start](const Tensor& dy, Destinations& to) { to.add_range(0, dim, start, dy); });
}

Variable expand(const Variable& x, const Shape& shape) {
  return record_view("expand", x.value().expand(shape), x,
                     [from = x.shape()](const Tensor& dy) -> Tensors { return {sum_to(dy, from)}; });
}

}  // namespace tk
