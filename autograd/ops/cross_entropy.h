#pragma once

#include <optional>

#include "autograd/variable.h"

namespace tk {

/// -log softmax(logits)[label] of each row; logits [..., classes], labels [...] int32 or int64. With `ignore_index`
/// rows of that label have a loss of 0 and no gradient.
Variable cross_entropy(const Variable& logits, const Tensor& labels,
                       std::optional<std::int64_t> ignore_index = std::nullopt);

}  // namespace tk
