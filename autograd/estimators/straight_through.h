#pragma once

#include "autograd/variable.h"

namespace tk {

/// The value of `hard` with the gradient of `soft`: forward the discrete choice, backward the relaxation (Bengio et
/// al., "Estimating or propagating gradients through stochastic neurons", arXiv 1308.3432).
Variable straight_through(const Tensor& hard, const Variable& soft);

/// The one-hot sample of logits + Gumbel noise [..., classes] with the gradient of softmax(logits / temperature): no
/// noise in the backward. Biased: for one node of two classes, temperature 1 and a quadratic cost of curvature c by c p
/// (1 - p) (2 p - 1) / 2.
Variable straight_through(const Variable& logits, const Tensor& noise, double temperature);

}  // namespace tk
