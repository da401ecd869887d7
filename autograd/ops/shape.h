#pragma once

#include <functional>
#include <initializer_list>
#include <span>

#include "autograd/variable.h"

namespace tk {

Variable reshape(const Variable& x, const Shape& shape);
/// Swaps two dimensions.
Variable transpose(const Variable& x, std::int64_t a, std::int64_t b);
/// `length` entries of dimension `dim` from `start` on.
Variable narrow(const Variable& x, std::int64_t dim, std::int64_t start, std::int64_t length);
Variable expand(const Variable& x, const Shape& shape);
/// Reorders all dimensions.
Variable permute(const Variable& x, std::span<const std::int64_t> order);
inline Variable permute(const Variable& x, std::initializer_list<std::int64_t> order) {
  return permute(x, std::span(order.begin(), order.size()));
}
/// Entry `index` of dimension `dim`, which disappears.
Variable select(const Variable& x, std::int64_t dim, std::int64_t index);
Variable unsqueeze(const Variable& x, std::int64_t dim);
Variable squeeze(const Variable& x, std::int64_t dim);
/// `size` entries of dimension `dim` each, the last one of what is left.
Variables split(const Variable& x, std::int64_t size, std::int64_t dim = 0);

/// x itself; its gradient is shown to `hook`, and what that returns goes on, if it is defined.
Variable on_gradient(const Variable& x, std::function<Tensor(const Tensor& gradient)> hook);

}  // namespace tk
