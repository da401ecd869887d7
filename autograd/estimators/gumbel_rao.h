#pragma once

#include "autograd/variable.h"

namespace tk {

/// Gumbel-Rao (Paulus, Maddison and Krause, arXiv 2010.04838): the one-hot sample D of logits + noise [rows, classes],
/// and backward the mean over K samples of the Gumbel-softmax slope given D, (1 / K t) sum J(softmax((logits + G_k) /
/// t))^T g, G_k | D from independent Gumbel numbers `more` [rows, K, classes]. Its mean is that of straight-through
/// Gumbel-softmax (K = 1), biased but for t -> 0; its variance falls with K. No gradient is taken through G_k.
Variable gumbel_rao(const Variable& logits, const Tensor& noise, const Tensor& more, double temperature);

/// The mean over samples of (1 / t) J(softmax((logits + G_k) / t))^T g for choices D that logits + G_k make, with G_k |
/// D from `more` [rows, K, classes]; logits, choices and g [rows, classes].
Tensor conditional_gumbel_slope(const Tensor& logits, const Tensor& choices, const Tensor& more, double temperature,
                                const Tensor& g);

}  // namespace tk
