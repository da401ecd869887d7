#pragma once

#include "autograd/variable.h"

namespace tk {

/// The value of `hard` with the gradient of `soft`: forward the discrete choice, backward the relaxation (Bengio et al.,
/// "Estimating or propagating gradients through stochastic neurons", arXiv 1308.3432).
Variable straight_through(const Tensor& hard, const Variable& soft);

}  // namespace tk
