#pragma once

#include "autograd/estimators/choices.h"

namespace tk {

/// The most states that are enumerated.
inline constexpr std::int64_t kMostStates = 1 << 20;

/// All states of the nodes of such logits: each [nodes], or [nodes, classes], one after the other in the first
/// dimension. Throws when there are more than kMostStates.
Tensor all_choices(const Tensor& logits);

/// E f(D), exactly: the sum over all states of p(D) f(D), [rows], with its exact gradient. As many evaluations as there
/// are states; the oracle of the other estimators.
Variable enumerate(const Cost& cost, const Variable& logits);

}  // namespace tk
