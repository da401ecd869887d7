#include "autograd/estimators/reinmax_rao.h"

#include "autograd/estimators/gumbel_rao.h"
#include "autograd/estimators/reinmax.h"
#include "tensor/ops/elementwise.h"
#include "tensor/ops/gate.h"
#include "tensor/ops/softmax.h"

namespace tk {

Variable reinmax_rao(const Variable& logits, const Tensor& noise, const Tensor& more, double temperature) {
  TK_CHECK(temperature > 0, "reinmax_rao: expected a temperature above 0, got ", temperature);
  const Tensor choices = one_hot_of_largest(add(logits.value(), noise));
  return record(
      "reinmax_rao", choices, {logits},
      [logits = Saved(logits), choices = Saved(choices), more = Saved(more), temperature](const Tensor& dy) -> Tensors {
        const Tensor l = logits, chosen = choices;
        const Tensor halfway = conditional_gumbel_slope(halfway_logits(l, chosen), chosen, more, temperature, dy);
        return {sub(affine(halfway, 2), affine(softmax_backward(dy, softmax(l)), 0.5))};
      });
}

}  // namespace tk
