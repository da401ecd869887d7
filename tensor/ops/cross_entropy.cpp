#include "tensor/ops/cross_entropy.h"

#include "tensor/kernels.h"

namespace tk {

CrossEntropyOutput cross_entropy(const Tensor& logits, const Tensor& labels) {
  TK_CHECK(logits.rank() == 2 && labels.dtype() == DType::kInt32 && labels.shape() == Shape{logits.shape()[0]},
           "cross_entropy: expected logits [rows, classes] and int32 labels [rows], got ", logits.shape(), " and ",
           labels.dtype(), ' ', labels.shape());
  CrossEntropyOutput out{empty({logits.shape()[0]}, row_dtype(logits.dtype()), logits.device()), empty_like(logits)};
  cross_entropy_kernel(logits.device(), out.loss, out.probabilities, logits.contiguous(), labels.contiguous());
  return out;
}

Tensor cross_entropy_backward(const Tensor& dloss, const Tensor& probabilities, const Tensor& labels) {
  Tensor dlogits = empty_like(probabilities);
  cross_entropy_backward_kernel(dloss.device(), dlogits, dloss.contiguous(), probabilities, labels.contiguous());
  return dlogits;
}

}  // namespace tk
