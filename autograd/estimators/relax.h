#pragma once

#include <cstdint>

#include "autograd/estimators/choices.h"

namespace tk {

/// RELAX (Grathwohl et al., arXiv 1711.00123) for Bernoulli nodes and a cost that may be a black box: the score
/// function with a learnt control variate c, a network of one hidden layer on the relaxed choices, c(x) = w2 . tanh(W1
/// s + b1) + b2 with s = sigmoid(x / temperature):
///   (f(D) - c(x')) score(D) + d/dz (c(x) - c(x')), x = z + noise, x' the same given D from independent noise.
/// Unbiased whatever c is. After each estimate c takes a step of Adam down the gradient of the mean of its square,
/// which is its variance but for a constant. One evaluation of the cost.
class Relax {
 public:
  struct Options {
    std::int64_t hidden = 16;
    double temperature = 0.5;
    double learning_rate = 0.01;
    std::uint64_t seed = 1;  ///< of W1; w2 and both biases start at 0, and so does c
  };
  explicit Relax(const Options& options) : options_(options) {}

  /// z [rows, nodes], the same number of nodes at each call. Value: the cost, [rows].
  Variable operator()(const Cost& cost, const Variable& z, const Draws& draws);

 private:
  void initialize(const Tensor& z);
  void learn();

  Options options_;
  Variables weights_;  // w1, b1, w2, b2
  Tensors means_, squares_;
  std::int64_t steps_ = 0;
};

}  // namespace tk
