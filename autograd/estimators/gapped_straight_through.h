#pragma once

#include <optional>

#include "autograd/variable.h"

namespace tk {

/// The gapped straight-through estimator (Fan, Chi, Rudnicky and Ramadge, ICML 2022): the one-hot sample D of logits +
/// noise [..., classes], and backward through softmax(l' / temperature), where l' are the logits moved, without a
/// gradient, so that D's class is at the largest logit and the others at least `gap` below it: GST-1.0 has a gap of 1,
/// GST-p (no gap given) that of Gumbel noise in the mean, -log(1 - p) / p with the choice's probability p. Biased; no
/// noise in the backward.
Variable gapped_straight_through(const Variable& logits, const Tensor& noise, std::optional<double> gap,
                                 double temperature);

}  // namespace tk
