#include "transkimmer/cli/run/study_polynomial.h"

#include <fmt/format.h>

#include <cmath>

#include "autograd/estimators/estimators.h"
#include "autograd/ops/elementwise.h"
#include "autograd/ops/reduce.h"
#include "autograd/ops/shape.h"
#include "tensor/scalar_math.h"
#include "tensor/step_state.h"
#include "transkimmer/cli/run/signals.h"

namespace tk {
namespace {

// The mean over the latents of |b - t|^power, [rows].
Cost cost_of(double target, double power) {
  return [target, power](const Variable& b) {
    const Variable distance = abs(b - target);
    const Variable terms = power == 2 ? square(distance) : exp(log(distance) * power);
    return sum(terms, 1) * (1.0 / static_cast<double>(b.size(1)));
  };
}

double expected_cost(const Tensor& z, double target, double power) {
  double total = 0;
  for (const float logit : z.to_vector<float>()) {
    const double p = math::sigmoid(double{logit});
    total += p * std::pow(1 - target, power) + (1 - p) * std::pow(target, power);
  }
  return total / static_cast<double>(z.numel());
}

std::string key_of(double power) { return fmt::format("loss_{:g}", power); }

StudyValues descent(const std::string& estimator, std::uint64_t seed, double power,
                    const PolynomialStudyOptions& options) {
  const Surrogate surrogate = make_surrogate(choose_estimator(estimator, {.temperature = options.temperature}));
  Parameter z({1, options.latents}, false);
  Generator generator(seed, Purpose::kInit);
  for (std::int64_t i = 0; i < options.latents; ++i) z.value().data<float>()[i] = 0.02f * generator.uniform() - 0.01f;
  const Cost cost = cost_of(options.target, power);
  const auto loss = [&](const Tensor& state) {
    const Variable rows = expand(z.variable(), {options.samples, options.latents});
    return mean(surrogate(cost, rows, draws_of_rows(state, options.samples)));
  };
  const StudyDescent how{
      .steps = options.steps, .learning_rate = options.learning_rate, .temperature = options.temperature, .points = 40};
  return descend(
      z, how, seed, key_of(power), [&] { return expected_cost(z.value(), options.target, power); }, loss);
}

}  // namespace

Study polynomial_study(const PolynomialStudyOptions& options) {
  Study study;
  study.name = "polynomial";
  study.summary = {fmt::format(
      "Polynomial programming: {} gates, the cost the mean of |b - {:g}|^power, {} samples a step, Adam with a "
      "learning "
      "rate of {:g} from logits near 0. Shown is the expected cost, exactly; the least is {:g}^power. Bands are two "
      "standard errors of the mean over the seeds.",
      options.latents, options.target, options.samples, options.learning_rate, options.target)};
  for (const double power : options.powers) {
    study.charts.push_back({key_of(power), fmt::format("Expected cost, power {:g}", power), "", "step", true});
  }
  study.measure = [options](const std::string& estimator, std::uint64_t seed) {
    StudyValues values;
    for (const double power : options.powers) {
      for (StudyValue& v : descent(estimator, seed, power, options)) values.push_back(std::move(v));
    }
    return values;
  };
  return study;
}

}  // namespace tk
