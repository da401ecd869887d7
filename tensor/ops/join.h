#pragma once

#include <initializer_list>
#include <span>

#include "tensor/tensor.h"

namespace tk {

/// Tensors one after the other along dimension `dim`; all other extents and the dtype are equal.
Tensor join(std::span<const Tensor> parts, std::int64_t dim = 0);

inline Tensor join(std::initializer_list<Tensor> parts, std::int64_t dim = 0) {
  return join(std::span(parts.begin(), parts.size()), dim);
}

/// Tensors of one shape along a new dimension `dim`.
Tensor stack(std::span<const Tensor> parts, std::int64_t dim = 0);
inline Tensor stack(std::initializer_list<Tensor> parts, std::int64_t dim = 0) {
  return stack(std::span(parts.begin(), parts.size()), dim);
}

/// Views of `size` entries of dimension `dim` each, the last one of what is left.
Tensors split(const Tensor& x, std::int64_t size, std::int64_t dim = 0);

}  // namespace tk
