#include "autograd/estimators/gumbel_rao.h"

#include "autograd/estimators/choices.h"
#include "autograd/grad_mode.h"
#include "tensor/ops/elementwise.h"
#include "tensor/ops/gate.h"
#include "tensor/ops/reduce.h"
#include "tensor/ops/softmax.h"

namespace tk {

Tensor conditional_gumbel_slope(const Tensor& logits, const Tensor& choices, const Tensor& more, double temperature,
                                const Tensor& g) {
  TK_CHECK(logits.rank() == 2 && more.rank() == 3 && more.shape()[0] == logits.shape()[0] &&
               more.shape()[2] == logits.shape()[1] && more.shape()[1] >= 1,
           "gumbel_rao: expected logits [rows, classes] and noise [rows, samples, classes], got ", logits.shape(),
           " and ", more.shape());
  const NoGrad no_grad;
  const Shape shape = more.shape();
  const Variable expanded(logits.unsqueeze(1).expand(shape).contiguous());
  const Tensor noisy = noisy_given_choices(expanded, choices.unsqueeze(1).expand(shape).contiguous(), more).value();
  const Tensor soft = softmax(affine(noisy, 1 / temperature));
  const Tensor slopes = softmax_backward(g.unsqueeze(1).expand(shape).contiguous(), soft);
  return affine(sum(slopes, 1), 1 / (temperature * static_cast<double>(shape[1])));
}

Variable gumbel_rao(const Variable& logits, const Tensor& noise, const Tensor& more, double temperature) {
  TK_CHECK(temperature > 0, "gumbel_rao: expected a temperature above 0, got ", temperature);
  const Tensor choices = one_hot_of_largest(add(logits.value(), noise));
  return record(
      "gumbel_rao", choices, {logits},
      [logits = Saved(logits), choices = Saved(choices), more = Saved(more), temperature](const Tensor& dy) -> Tensors {
        return {conditional_gumbel_slope(logits, choices, more, temperature, dy)};
      });
}

}  // namespace tk
