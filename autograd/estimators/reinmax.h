#pragma once

#include "autograd/variable.h"

namespace tk {

/// ReinMax (Liu et al., "Bridging discrete and backpropagation", arXiv 2304.08612): the one-hot sample D of logits +
/// noise [..., classes]; backward 2 J(q)^T g - J(p)^T g / 2 with q = (softmax(logits / t) + D) / 2, p = softmax(logits)
/// and J(p) = diag(p) - p p^T. Second order: at t = 1 unbiased for quadratic costs of one node, and the same as zgr; at
/// other temperatures that is lost, and below 1 the sign may be wrong. No noise in the backward.
Variable reinmax(const Variable& logits, const Tensor& noise, double temperature);

/// 2 J(q)^T g - J(p)^T g / 2 for choices D.
Tensor reinmax_slope(const Tensor& logits, const Tensor& choices, double temperature, const Tensor& g);
/// log((softmax(logits) + D) / 2): the logits of ReinMax's halfway point.
Tensor halfway_logits(const Tensor& logits, const Tensor& choices);

}  // namespace tk
