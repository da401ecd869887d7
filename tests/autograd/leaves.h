#pragma once

#include <vector>

#include "autograd/variable.h"

namespace tk::test {

using Values = std::vector<float>;

/// A vector that takes a gradient.
inline Variable leaf(const Values& values) { return Variable(from_values(values), true); }

inline Values grad(const Variable& x) { return x.grad().to_vector<float>(); }

}  // namespace tk::test
