#include "autograd/estimators/zgr.h"

#include "tensor/ops/elementwise.h"
#include "tensor/ops/gate.h"
#include "tensor/ops/reduce.h"
#include "tensor/ops/softmax.h"

namespace tk {

Variable zgr(const Variable& logits, const Tensor& noise) {
  const Tensor choices = one_hot_of_largest(add(logits.value(), noise));
  const Tensor p = softmax(logits.value());
  return record("zgr", choices, {logits}, [choices = Saved(choices), p = Saved(p)](const Tensor& dy) -> Tensors {
    const Tensor chosen = choices, probability = p;
    const std::int64_t last = dy.rank() - 1;
    const Tensor of_winner = sum(mul(chosen, dy), last).unsqueeze(last);
    const Tensor of_mean = sum(mul(probability, dy), last).unsqueeze(last);
    const Tensor twice = add(mul(probability, sub(dy, of_winner)), mul(chosen, sub(of_winner, of_mean)));
    return {affine(twice, 0.5)};
  });
}

}  // namespace tk
