#include "autograd/ops/cross_entropy.h"

#include "tensor/ops/cross_entropy.h"

namespace tk {

Variable cross_entropy(const Variable& logits, const Tensor& labels) {
  const CrossEntropyOutput out = cross_entropy(logits.value(), labels);
  return record("cross_entropy", out.loss, {logits},
                [probabilities = out.probabilities, labels = Saved(labels)](const Tensor& dy) -> Tensors {
                  return {cross_entropy_backward(dy, probabilities, labels)};
                });
}

}  // namespace tk
