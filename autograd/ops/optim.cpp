#include "autograd/ops/optim.h"

#include "tensor/ops/elementwise.h"
#include "tensor/ops/optim.h"

namespace tk {

Variable budget_loss(const Variable& cost, const Tensor& state) {
  const BudgetOutput out = budget_loss(cost.value(), state);
  return record("budget_loss", out.loss, {cost},
                [dcost = out.dcost](const Tensor& dy) -> Tensors { return {mul(dy, dcost)}; });
}

}  // namespace tk
