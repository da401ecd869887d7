#pragma once

#include "tensor/tensor.h"

namespace tk {

struct CrossEntropyOutput {
  Tensor loss;           ///< [rows] of row_dtype
  Tensor probabilities;  ///< [rows, classes], kept for the backward
};

/// -log softmax(logits)[label] of each row; logits [rows, classes], labels [rows] int32. Throws on a label out of
/// range.
CrossEntropyOutput cross_entropy(const Tensor& logits, const Tensor& labels);
/// dlogits = dloss (probabilities - one_hot(label)); dloss [rows].
Tensor cross_entropy_backward(const Tensor& dloss, const Tensor& probabilities, const Tensor& labels);

}  // namespace tk
