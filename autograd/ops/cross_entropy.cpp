#include "autograd/ops/cross_entropy.h"

#include "autograd/ops/elementwise.h"
#include "autograd/ops/shape.h"
#include "tensor/ops/cross_entropy.h"

namespace tk {

Variable cross_entropy(const Variable& logits, const Tensor& labels, std::optional<std::int64_t> ignore_index) {
  if (ignore_index) {
    const Tensor ignored = eq(labels, static_cast<double>(*ignore_index));
    return where(ignored, 0, cross_entropy(logits, where(ignored, 0, labels)));
  }
  if (logits.shape().rank() != 2) {
    TK_CHECK(logits.shape().rank() >= 1 && labels.shape() == logits.shape().without(logits.shape().rank() - 1),
             "cross_entropy: expected logits [..., classes] and a label for each, got ", logits.shape(), " and ",
             labels.shape());
    const Variable rows = reshape(logits, {labels.numel(), logits.shape().back()});
    return reshape(cross_entropy(rows, labels.reshape({labels.numel()})), labels.shape());
  }
  if (labels.dtype() == DType::kInt64) return cross_entropy(logits, labels.to(DType::kInt32));
  const CrossEntropyOutput out = cross_entropy(logits.value(), labels);
  return record("cross_entropy", out.loss, {logits},
                [probabilities = out.probabilities, labels = Saved(labels)](const Tensor& dy) -> Tensors {
                  return {cross_entropy_backward(dy, probabilities, labels)};
                });
}

}  // namespace tk
