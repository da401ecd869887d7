#include "autograd/estimators/reinmax_cv.h"

#include "autograd/estimators/gumbel_rao.h"
#include "autograd/estimators/reinmax.h"
#include "tensor/ops/elementwise.h"
#include "tensor/ops/gate.h"
#include "tensor/ops/softmax.h"

namespace tk {

Variable reinmax_cv(const Variable& logits, const Tensor& noise, const Tensor& more, double weight,
                    double temperature) {
  TK_CHECK(temperature > 0, "reinmax_cv: expected a temperature above 0, got ", temperature);
  const Tensor choices = one_hot_of_largest(add(logits.value(), noise));
  return record("reinmax_cv", choices, {logits},
                [logits = Saved(logits), choices = Saved(choices), noise = Saved(noise), more = Saved(more), weight,
                 temperature](const Tensor& dy) -> Tensors {
                  const Tensor l = logits, chosen = choices;
                  const Tensor h = halfway_logits(l, chosen);
                  const Tensor rao = conditional_gumbel_slope(h, chosen, more, temperature, dy);
                  const Tensor soft = softmax(affine(add(h, noise), 1 / temperature));
                  const Tensor single = affine(softmax_backward(dy, soft), 1 / temperature);
                  return {add(reinmax_slope(l, chosen, temperature, dy), affine(sub(rao, single), weight))};
                });
}

}  // namespace tk
