#pragma once

#include "autograd/variable.h"

namespace tk {

/// -log softmax(logits)[label], one value a row; logits [rows, classes], labels [rows] int32.
Variable cross_entropy(const Variable& logits, const Tensor& labels);

}  // namespace tk
