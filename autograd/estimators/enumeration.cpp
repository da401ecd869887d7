#include "autograd/estimators/enumeration.h"

#include "autograd/ops/elementwise.h"
#include "tensor/ops/elementwise.h"

namespace tk {

Tensor all_choices(const Tensor& logits) {
  check_nodes("enumerate", logits);
  const bool categorical = logits.rank() == 3;
  const std::int64_t nodes = logits.shape()[1], values = categorical ? logits.shape()[2] : 2;
  std::int64_t states = 1;
  for (std::int64_t i = 0; i < nodes; ++i) {
    TK_CHECK(states <= kMostStates / values, "enumerate: more than ", kMostStates, " states of ", nodes, " nodes with ",
             values, " values each");
    states *= values;
  }
  const std::int64_t width = categorical ? nodes * values : nodes;
  std::vector<float> all(static_cast<std::size_t>(states * width), 0.0f);
  for (std::int64_t state = 0; state < states; ++state) {
    std::int64_t rest = state;
    for (std::int64_t node = 0; node < nodes; ++node, rest /= values) {
      const std::int64_t value = rest % values;
      float* const at = all.data() + state * width + (categorical ? node * values : node);
      if (categorical) {
        at[value] = 1;
      } else {
        *at = static_cast<float>(value);
      }
    }
  }
  const Shape shape = categorical ? Shape{states, nodes, values} : Shape{states, nodes};
  return from_values(all, shape).to(logits.dtype()).to(logits.device());
}

Variable enumerate(const Cost& cost, const Variable& logits) {
  const Tensor states = all_choices(logits.value());
  Variable expected;
  Tensor gradient = zeros_like(logits.value());
  for (std::int64_t i = 0; i < states.shape()[0]; ++i) {
    const Tensor choices = states.narrow(0, i, 1).expand(logits.shape()).contiguous();
    const Tensor p = exp(log_probability(logits.value(), choices));
    const Variable f = cost(Variable(choices));
    add_to(gradient, scale_rows(score(logits.value(), choices), mul(p, f.value())));
    const Variable part = Variable(p) * f;
    expected = expected.defined() ? expected + part : part;
  }
  return expected + with_gradient(logits, gradient);
}

}  // namespace tk
