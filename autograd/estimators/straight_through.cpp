#include "autograd/estimators/straight_through.h"

#include "autograd/ops/elementwise.h"
#include "autograd/ops/softmax.h"
#include "tensor/ops/elementwise.h"
#include "tensor/ops/gate.h"

namespace tk {

Variable straight_through(const Tensor& hard, const Variable& soft) {
  TK_CHECK(hard.shape() == soft.shape() && hard.dtype() == soft.dtype(), "straight_through: expected hard values of ",
           soft.dtype(), ' ', soft.shape(), ", got ", hard.dtype(), ' ', hard.shape());
  return record("straight_through", hard, {soft}, [](const Tensor& dy) -> Tensors { return {dy}; });
}

Variable straight_through(const Variable& logits, const Tensor& noise, double temperature) {
  TK_CHECK(temperature > 0, "straight_through: expected a temperature above 0, got ", temperature);
  return straight_through(one_hot_of_largest(add(logits.value(), noise)), softmax(logits * (1 / temperature)));
}

}  // namespace tk
