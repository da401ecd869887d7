#pragma once

#include "autograd/variable.h"

namespace tk {

/// ZGR, the limit of Gumbel-Rao for temperature -> 0 and K -> infinity (Shekhovtsov, "Cold analysis of
/// Rao-Blackwellized straight-through Gumbel-softmax gradient estimator", ICML 2023): the one-hot sample D, of class w,
/// of logits + noise [..., classes]; backward dl = (p (g - g_w) + D (g_w - p . g)) / 2 with p = softmax(logits): half
/// straight-through, half DARN. It is ReinMax at temperature 1: unbiased for quadratic costs of one node, without noise
/// in the backward.
Variable zgr(const Variable& logits, const Tensor& noise);

}  // namespace tk
