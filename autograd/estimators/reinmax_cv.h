#pragma once

#include "autograd/variable.h"

namespace tk {

/// ReinMax with the difference between two slopes at the halfway point h = log((p + D) / 2) as a control variate (after
/// Wang and Bui, arXiv 2603.08257): the one-hot sample D of logits + noise [rows, classes]; backward ReinMax's slope
/// plus weight (J_GR(h) - J_GS(h))^T g, J_GR(h) the mean over K samples of (1 / t) J(softmax((h + G_k) / t)) with G_k |
/// D from Gumbel numbers `more` [rows, K, classes], J_GS(h) the same with the very noise that chose D. The two noises
/// are conditioned at h and at the logits, so the difference has a mean, and ReinMax's bias changes; ReinMax's own
/// slope is without noise, so that what the difference adds given D is variance.
Variable reinmax_cv(const Variable& logits, const Tensor& noise, const Tensor& more, double weight, double temperature);

}  // namespace tk
