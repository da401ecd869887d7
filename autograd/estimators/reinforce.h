#pragma once

#include "autograd/estimators/choices.h"

// The score function: the gradient of E f(D) is E f(D) score(D), score the gradient of log p(D). Unbiased for any cost,
// which may be a black box. All return [rows] whose value is the cost and whose gradient is the estimate.
namespace tk {

/// (f(D) - baseline) score(D) (Williams 1992); one evaluation. The baseline must not depend on D.
Variable reinforce(const Cost& cost, const Variable& logits, const Draws& draws, double baseline = 0);

/// A baseline that follows the costs: the mean of each estimate's costs, averaged with a decay.
class MovingAverage {
 public:
  explicit MovingAverage(double decay = 0.9) : decay_(decay) {}
  /// 0 before the first cost.
  double value() const { return weight_ > 0 ? sum_ / weight_ : 0; }
  void add(double cost);

 private:
  double decay_;
  double sum_ = 0;
  double weight_ = 0;
};
/// reinforce with the average of the costs before as its baseline; reads the costs' mean back.
Variable reinforce(const Cost& cost, const Variable& logits, const Draws& draws, MovingAverage& baseline);

/// Leave-one-out: the mean over K >= 2 samples of (f_k - mean of the others' f) score_k (Salimans and Knowles 2014;
/// Kool et al. 2019); K evaluations.
Variable rloo(const Cost& cost, const Variable& logits, const Draws& draws, std::int64_t samples);

}  // namespace tk
