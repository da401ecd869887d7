#pragma once

#include "tensor/tensor.h"

namespace tk {

/// exp(x) / sum(exp(x)) along the last dimension.
Tensor softmax(const Tensor& x);
/// dx = y (dy - sum(dy y))
Tensor softmax_backward(const Tensor& dy, const Tensor& y);
/// x - log(sum(exp(x))) along the last dimension.
Tensor log_softmax(const Tensor& x);
/// dx = dy - exp(y) sum(dy)
Tensor log_softmax_backward(const Tensor& dy, const Tensor& y);

}  // namespace tk
