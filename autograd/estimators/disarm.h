#pragma once

#include "autograd/estimators/choices.h"

namespace tk {

/// DisARM (Dong, Mnih and Tucker, arXiv 2006.10680; U2G of Yin et al.): antithetic choices b = 1(z + n > 0) and
/// b' = 1(z - n > 0) of Bernoulli nodes z [rows, nodes]; the gradient is (f(b) - f(b')) (b - b') sigmoid(|z|) / 2.
/// Two evaluations, unbiased for any cost. Value: the mean of both, [rows].
Variable disarm(const Cost& cost, const Variable& z, const Draws& draws);

}  // namespace tk
