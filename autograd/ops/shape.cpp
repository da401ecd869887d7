#include "autograd/ops/shape.h"

#include <algorithm>
#include <utility>

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

Variable permute(const Variable& x, std::span<const std::int64_t> order) {
  const Tensor view = x.value().permute(order);
  std::vector<std::int64_t> back(order.size());
  for (std::size_t i = 0; i < order.size(); ++i) {
    back[static_cast<std::size_t>(normalize_dim("permute", order[i], view.rank()))] = static_cast<std::int64_t>(i);
  }
  return record_view("permute", view, x, [back](const Tensor& dy) -> Tensors { return {dy.permute(back)}; });
}

Variable select(const Variable& x, std::int64_t dim, std::int64_t index) {
  dim = normalize_dim("select", dim, x.shape().rank());
  return record_view("select", x.value().select(dim, index), x, [dim, index](const Tensor& dy, Destinations& to) {
    to.add_range(0, dim, index, dy.unsqueeze(dim));
  });
}

Variable Variable::operator[](std::int64_t i) const { return select(*this, 0, i); }

Variable unsqueeze(const Variable& x, std::int64_t dim) {
  dim = normalize_dim("unsqueeze", dim, x.shape().rank() + 1);
  return record_view("unsqueeze", x.value().unsqueeze(dim), x,
                     [dim](const Tensor& dy) -> Tensors { return {dy.squeeze(dim)}; });
}

Variable squeeze(const Variable& x, std::int64_t dim) {
  dim = normalize_dim("squeeze", dim, x.shape().rank());
  return record_view("squeeze", x.value().squeeze(dim), x,
                     [dim](const Tensor& dy) -> Tensors { return {dy.unsqueeze(dim)}; });
}

Variables split(const Variable& x, std::int64_t size, std::int64_t dim) {
  dim = normalize_dim("split", dim, x.shape().rank());
  TK_CHECK(size > 0, "split: expected a size of at least 1, got ", size);
  Variables parts;
  for (std::int64_t start = 0; start < x.size(dim); start += size) {
    parts.push_back(narrow(x, dim, start, std::min(size, x.size(dim) - start)));
  }
  return parts;
}

Variable on_gradient(const Variable& x, std::function<Tensor(const Tensor&)> hook) {
  return record_view("on_gradient", x.value(), x, [hook = std::move(hook)](const Tensor& dy) -> Tensors {
    const Tensor changed = hook(dy);
    return {changed.defined() ? changed : dy};
  });
}

}  // namespace tk
