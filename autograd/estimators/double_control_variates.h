#pragma once

#include "autograd/estimators/choices.h"

namespace tk {

/// Double control variates (Titsias and Shi, arXiv 2111.05300): leave-one-out over K >= 2 samples of the cost less its
/// linear model, whose mean is known. With d_k the mean of the other samples' cost gradients, c_k = d_k . (D_k - p) and
/// J the Jacobian of the probabilities p:
///   mean_k (f_k - w c_k - mean of the others' (f - w c)) score_k + w J mean_k df_k.
/// Unbiased for any weight w; K evaluations of a differentiable cost. Value: the mean cost, [rows].
Variable double_control_variates(const Cost& cost, const Variable& logits, const Draws& draws, std::int64_t samples,
                                 double weight = 1);

}  // namespace tk
