#pragma once

#include <initializer_list>
#include <span>

#include "autograd/variable.h"

namespace tk {

/// Variables one after the other along dimension `dim`.
Variable join(std::span<const Variable> parts, std::int64_t dim = 0);

inline Variable join(std::initializer_list<Variable> parts, std::int64_t dim = 0) {
  return join(std::span(parts.begin(), parts.size()), dim);
}

/// Variables of one shape along a new dimension `dim`.
Variable stack(std::span<const Variable> parts, std::int64_t dim = 0);
inline Variable stack(std::initializer_list<Variable> parts, std::int64_t dim = 0) {
  return stack(std::span(parts.begin(), parts.size()), dim);
}

}  // namespace tk
