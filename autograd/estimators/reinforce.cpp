#include "autograd/estimators/reinforce.h"

#include "autograd/ops/elementwise.h"
#include "tensor/ops/elementwise.h"
#include "tensor/ops/reduce.h"

namespace tk {

Variable reinforce(const Cost& cost, const Variable& logits, const Draws& draws, double baseline) {
  check_nodes("reinforce", logits.value());
  const Tensor choices = choose(logits.value(), choice_noise(logits.value(), draws, 0).front());
  const Variable f = cost(Variable(choices));
  return f + with_gradient(logits, scale_rows(score(logits.value(), choices), affine(f.value(), 1, -baseline)));
}

void MovingAverage::add(double cost) {
  sum_ = decay_ * sum_ + (1 - decay_) * cost;
  weight_ = decay_ * weight_ + (1 - decay_);
}

Variable reinforce(const Cost& cost, const Variable& logits, const Draws& draws, MovingAverage& baseline) {
  const Variable surrogate = reinforce(cost, logits, draws, baseline.value());
  if (surrogate.numel() > 0) {
    baseline.add(sum(surrogate.value()).item() / static_cast<double>(surrogate.numel()));
  }
  return surrogate;
}

Variable rloo(const Cost& cost, const Variable& logits, const Draws& draws, std::int64_t samples) {
  check_nodes("rloo", logits.value());
  TK_CHECK(samples >= 2, "rloo: expected at least 2 samples, got ", samples);
  Variable mean;
  Tensors choices;
  Variables costs;
  for (const Tensor& noise : choice_noise(logits.value(), draws, 0, samples)) {
    choices.push_back(choose(logits.value(), noise));
    costs.push_back(cost(Variable(choices.back())));
    mean = mean.defined() ? mean + costs.back() : costs.back();
  }
  mean = mean * (1.0 / static_cast<double>(samples));
  // f_k less the mean of the others is K / (K - 1) (f_k - mean).
  Tensor gradient = zeros_like(logits.value());
  for (std::size_t k = 0; k < costs.size(); ++k) {
    const Tensor advantage = sub(costs[k].value(), mean.value());
    add_to(gradient, scale_rows(score(logits.value(), choices[k]), advantage));
  }
  return mean + with_gradient(logits, affine(gradient, 1.0 / static_cast<double>(samples - 1)));
}

}  // namespace tk
