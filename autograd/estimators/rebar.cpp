#include "autograd/estimators/rebar.h"

#include <cmath>

#include "autograd/ops/elementwise.h"
#include "autograd/ops/shape.h"
#include "tensor/ops/elementwise.h"
#include "tensor/ops/reduce.h"

namespace tk {
namespace {

// The estimate, whose control variate takes its gradient to `control`, which has the value of the logits.
Variable estimate(const Cost& cost, const Variable& logits, const Variable& control, const Draws& draws,
                  double temperature, double weight) {
  check_nodes("rebar", logits.value());
  TK_CHECK(temperature > 0, "rebar: expected a temperature above 0, got ", temperature);
  const Tensor noise = choice_noise(logits.value(), draws, 0).front();
  const Tensor more = choice_noise(logits.value(), draws, 1).front();
  const Tensor choices = choose(logits.value(), noise), scores = score(logits.value(), choices);
  const Variable f = cost(Variable(choices));
  const Variable free = cost(relax(control + Variable(noise), temperature));
  const Variable given = cost(relax(noisy_given_choices(control, choices, more), temperature));
  const Variable difference = (free - given) * weight;
  return f + (difference - difference.detach()) + with_gradient(logits, scale_rows(scores, f.value())) +
         with_gradient(control, scale_rows(scores, affine(given.value(), -weight)));
}

}  // namespace

Variable rebar(const Cost& cost, const Variable& logits, const Draws& draws, double temperature, double weight) {
  return estimate(cost, logits, logits, draws, temperature, weight);
}

// Its logarithm, which Adam (Kingma and Ba, arXiv 1412.6980) moves with its usual constants.
struct Rebar::Weight {
  double log = 0;
  double mean = 0, square = 0;
  std::int64_t steps = 0;

  void step(double gradient, double learning_rate) {
    ++steps;
    const auto n = static_cast<double>(steps);
    mean = 0.9 * mean + 0.1 * gradient;
    square = 0.999 * square + 0.001 * gradient * gradient;
    const double size = std::sqrt(square / (1 - std::pow(0.999, n))) + 1e-8;
    log -= learning_rate * mean / (1 - std::pow(0.9, n)) / size;
  }
};

Rebar::Rebar(const Options& options) : options_(options), weight_(std::make_shared<Weight>()) {}

double Rebar::weight() const { return std::exp(weight_->log); }

Variable Rebar::operator()(const Cost& cost, const Variable& logits, const Draws& draws) const {
  // All that goes back passes `all`, the control variate's part `control` first. The gradient of |r + w c|^2 in log w
  // is 2 (r + w c) . w c.
  const auto part = std::make_shared<Tensor>();
  const Variable all = on_gradient(logits, [weight = weight_, part, rate = options_.learning_rate](const Tensor& g) {
    if (g.numel() > 0) weight->step(2 * sum(mul(g, *part)).item(), rate);
    return Tensor();
  });
  const Variable control = on_gradient(all, [part](const Tensor& g) {
    *part = g.clone();  // what goes on is added to
    return Tensor();
  });
  return estimate(cost, all, control, draws, options_.temperature, weight());
}

}  // namespace tk
