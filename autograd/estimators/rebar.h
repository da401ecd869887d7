#pragma once

#include <memory>

#include "autograd/estimators/choices.h"

namespace tk {

/// REBAR (Tucker et al., arXiv 1703.07370): the score function with the relaxed cost as its control variate. With x =
/// logits + noise, D its choices, x' the same given D from independent noise, and s(x) = relax(x, temperature):
///   (f(D) - w f(s(x'))) score(D) + w d/dl (f(s(x)) - f(s(x'))).
/// Unbiased for any weight w and temperature; three evaluations, of a cost that is differentiable between 0 and 1. What
/// else the cost depends on gets its gradient at D, plus noise of mean zero from the relaxed evaluations.
Variable rebar(const Cost& cost, const Variable& logits, const Draws& draws, double temperature, double weight = 1);

/// The same with a weight that is learnt, as published: each backward through an estimate takes a step of Adam down the
/// gradient of |r + w c|^2 in log w, the variance of the estimate but for a constant, r the score function's part and c
/// the control variate's. It is read back from a device.
class Rebar {
 public:
  struct Options {
    double temperature = 0.5;
    double learning_rate = 0.01;
  };
  explicit Rebar(const Options& options);

  Variable operator()(const Cost& cost, const Variable& logits, const Draws& draws) const;
  double weight() const;

 private:
  struct Weight;

  Options options_;
  std::shared_ptr<Weight> weight_;  // graphs keep it, too
};

}  // namespace tk
