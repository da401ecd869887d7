#include "autograd/estimators/reinmax.h"

#include "tensor/ops/elementwise.h"
#include "tensor/ops/gate.h"
#include "tensor/ops/softmax.h"

namespace tk {

Tensor reinmax_slope(const Tensor& logits, const Tensor& choices, double temperature, const Tensor& g) {
  const Tensor q = affine(add(softmax(affine(logits, 1 / temperature)), choices), 0.5);
  return sub(affine(softmax_backward(g, q), 2), affine(softmax_backward(g, softmax(logits)), 0.5));
}

Tensor halfway_logits(const Tensor& logits, const Tensor& choices) {
  return log(affine(add(softmax(logits), choices), 0.5));
}

Variable reinmax(const Variable& logits, const Tensor& noise, double temperature) {
  TK_CHECK(temperature > 0, "reinmax: expected a temperature above 0, got ", temperature);
  const Tensor choices = one_hot_of_largest(add(logits.value(), noise));
  return record("reinmax", choices, {logits},
                [logits = Saved(logits), choices = Saved(choices), temperature](const Tensor& dy) -> Tensors {
                  return {reinmax_slope(logits, choices, temperature, dy)};
                });
}

}  // namespace tk
