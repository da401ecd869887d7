#pragma once

#include "autograd/variable.h"

namespace tk {

/// ReinMax whose first Jacobian is that of Gumbel-Rao at the halfway point (after Wang and Bui, arXiv 2603.08257;
/// derived here, since a port reports misprints): the one-hot sample D of logits + noise [rows, classes]; backward 2
/// J_GR(h)^T g - J(p)^T g / 2 with h = log((p + D) / 2), p = softmax(logits), and J_GR(h) the mean over K samples of (1
/// / t) J(softmax((h + G_k) / t)), G_k | D from Gumbel numbers `more` [rows, K, classes]. Biased.
Variable reinmax_rao(const Variable& logits, const Tensor& noise, const Tensor& more, double temperature);

}  // namespace tk
