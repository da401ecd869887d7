#include "autograd/estimators/double_control_variates.h"

#include "autograd/ops/elementwise.h"
#include "autograd/ops/reduce.h"
#include "autograd/ops/shape.h"
#include "tensor/ops/elementwise.h"
#include "tensor/ops/join.h"

namespace tk {
namespace {

// The part that is linear in the costs' gradients, which arrive as dy [K, ...] and are K times too small.
Tensor linear_part(const Tensor& logits, const Tensor& choices, const Tensor& dy, double weight) {
  const std::int64_t samples = choices.shape()[0];
  const auto k_others = static_cast<double>(samples - 1);
  Tensor all = zeros_like(logits);
  for (std::int64_t k = 0; k < samples; ++k) add_to(all, dy.select(0, k).contiguous());
  Tensors scores, models;
  Tensor models_in_all = zeros({logits.shape()[0]}, logits.dtype(), logits.device());
  for (std::int64_t k = 0; k < samples; ++k) {
    scores.push_back(score(logits, choices.select(0, k)));
    const Tensor others = affine(sub(all, dy.select(0, k)), 1 / k_others);
    models.push_back(row_sums(mul(others, scores.back())));
    add_to(models_in_all, models.back());
  }
  // c_k less the mean of the others' is (K c_k - sum) / (K - 1).
  Tensor gradient = probability_jacobian(logits, all);
  for (std::size_t k = 0; k < models.size(); ++k) {
    const Tensor advantage = affine(sub(affine(models[k], static_cast<double>(samples)), models_in_all), -1 / k_others);
    add_to(gradient, scale_rows(scores[k], advantage));
  }
  return affine(gradient, weight);
}

}  // namespace

Variable double_control_variates(const Cost& cost, const Variable& logits, const Draws& draws, std::int64_t samples,
                                 double weight) {
  check_nodes("double_control_variates", logits.value());
  TK_CHECK(samples >= 2, "double_control_variates: expected at least 2 samples, got ", samples);
  Tensors drawn;
  for (const Tensor& noise : choice_noise(logits.value(), draws, 0, samples)) {
    drawn.push_back(choose(logits.value(), noise).unsqueeze(0));
  }
  const Tensor choices = join(drawn, 0);
  const Variable all = record("double_control_variates", choices, {logits},
                              [logits = Saved(logits), choices = Saved(choices), weight](const Tensor& dy) -> Tensors {
                                return {linear_part(logits, choices, dy, weight)};
                              });
  Variable mean;
  Variables costs;
  for (std::int64_t k = 0; k < samples; ++k) {
    costs.push_back(cost(reshape(narrow(all, 0, k, 1), logits.shape())));
    mean = mean.defined() ? mean + costs.back() : costs.back();
  }
  mean = mean * (1.0 / static_cast<double>(samples));
  Tensor gradient = zeros_like(logits.value());
  for (std::size_t k = 0; k < costs.size(); ++k) {
    const Tensor choice = choices.select(0, static_cast<std::int64_t>(k));
    add_to(gradient, scale_rows(score(logits.value(), choice), sub(costs[k].value(), mean.value())));
  }
  return mean + with_gradient(logits, affine(gradient, 1.0 / static_cast<double>(samples - 1)));
}

}  // namespace tk
