#include "autograd/estimators/straight_through.h"

namespace tk {

Variable straight_through(const Tensor& hard, const Variable& soft) {
  TK_CHECK(hard.shape() == soft.shape() && hard.dtype() == soft.dtype(), "straight_through: expected hard values of ",
           soft.dtype(), ' ', soft.shape(), ", got ", hard.dtype(), ' ', hard.shape());
  return record("straight_through", hard, {soft}, [](const Tensor& dy) -> Tensors { return {dy}; });
}

}  // namespace tk
