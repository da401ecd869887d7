#pragma once

#include <string>

#include "tests/support/op_cases.h"
#include "tests/support/tensors.h"

namespace tk::test {

/// The value of f, and the gradients of all inputs under an upstream gradient of seeded normal numbers.
struct Pass {
  Tensor value;
  Tensors grads;
};

inline Pass run(const OpCase::Function& f, const Tensors& inputs) {
  Variables variables;
  for (const Tensor& input : inputs) variables.emplace_back(input, true);
  const Variable y = f(variables);
  y.backward(random_normal(y.shape(), 1, y.dtype()).to(y.device()));
  Pass pass{y.value(), {}};
  for (const Variable& variable : variables) pass.grads.push_back(variable.grad());
  return pass;
}

/// Empty if value and gradients are near, else what differs first.
inline std::string difference(const Pass& got, const Pass& expected, Tolerance tolerance) {
  const std::string text = difference(got.value, expected.value, tolerance);
  if (!text.empty()) return "value, " + text;
  for (std::size_t i = 0; i < got.grads.size(); ++i) {
    if (!got.grads[i].defined()) return concat("input ", i, " has no gradient");
    const std::string in_grad = difference(got.grads[i], expected.grads[i], tolerance);
    if (!in_grad.empty()) return concat("gradient of input ", i, ", ", in_grad);
  }
  return "";
}

}  // namespace tk::test
