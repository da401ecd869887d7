#include "transkimmer/cli/run/study_bernoulli.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "autograd/estimators/estimators.h"
#include "autograd/ops/elementwise.h"
#include "autograd/ops/reduce.h"
#include "autograd/ops/shape.h"
#include "tensor/scalar_math.h"
#include "tensor/step_state.h"
#include "transkimmer/cli/run/signals.h"

namespace tk {
namespace {

Cost cost_of(double target) {
  return [target](const Variable& b) { return square(reshape(b, {b.size(0)}) - target); };
}

struct MeanAndDeviation {
  double mean, deviation;
};

MeanAndDeviation measure_gradient(const std::string& estimator, std::uint64_t seed, double z, double temperature,
                                  const BernoulliStudyOptions& options) {
  const ChosenEstimator chosen = choose_estimator(estimator, {.temperature = temperature});
  const Surrogate surrogate = make_surrogate(chosen);
  const auto gradients = [&](std::int64_t step, std::int64_t rows) {
    const Variable logits(full({rows, 1}, z), true);
    const Tensor state = make_step_state({.seed = seed, .step = step, .temperature = temperature});
    sum(surrogate(cost_of(options.target), logits, draws_of_rows(state, rows))).backward();
    return logits.grad().to_vector<float>();
  };
  constexpr std::int64_t kRowsOfWarmUp = 200;
  warm_up(chosen, [&](std::int64_t step) { gradients(step, kRowsOfWarmUp); });
  double sum_of_all = 0, squares = 0;
  std::int64_t done = 0;
  constexpr std::int64_t kRows = 20000;
  for (std::int64_t call = 0; done < options.samples; ++call) {
    throw_if_stopped();
    const std::int64_t rows = std::min(kRows, options.samples - done);
    for (const float g : gradients(call, rows)) {
      sum_of_all += double{g};
      squares += double{g} * double{g};
    }
    done += rows;
  }
  const auto n = static_cast<double>(done);
  const double mean = sum_of_all / n;
  return {mean, std::sqrt(std::max(0.0, squares / n - mean * mean))};
}

StudyValues descent(const std::string& estimator, std::uint64_t seed, const BernoulliStudyOptions& options) {
  const Surrogate surrogate = make_surrogate(choose_estimator(estimator, {.temperature = options.temperature}));
  Parameter z({1, 1}, false);
  const auto expected = [&] {
    const double p = math::sigmoid(double{z.value().item()}), t = options.target;
    return p * (1 - t) * (1 - t) + (1 - p) * t * t;
  };
  const auto loss = [&](const Tensor& state) {
    return sum(surrogate(cost_of(options.target), z.variable(), draws_of_rows(state, 1)));
  };
  const StudyDescent how{
      .steps = options.steps, .learning_rate = options.learning_rate, .temperature = options.temperature, .points = 50};
  return descend(z, how, seed, "loss", expected, loss);
}

}  // namespace

Study bernoulli_study(const BernoulliStudyOptions& options) {
  Study study;
  study.name = "bernoulli";
  study.summary = {
      "One gate b that is 1 with probability sigmoid(z), and the cost (b - t)^2, whose exact gradient is p (1 - p) "
      "(1 - 2 t). Bias and standard deviation are those of a single sample's gradient, in units of the exact one. "
      "Bands "
      "are two standard errors of the mean over the seeds."};
  for (const char* z : {"0", "1"}) {
    const std::string at = std::string("z") + z;
    study.charts.push_back({"bias_" + at, std::string("Bias at z = ") + z, "of the exact gradient", "temperature"});
    study.charts.push_back(
        {"deviation_" + at, std::string("Standard deviation at z = ") + z, "of the exact gradient", "temperature"});
  }
  study.charts.push_back({"bias", "Bias at temperature 1", "of the exact gradient", "z"});
  study.charts.push_back({"deviation", "Standard deviation at temperature 1", "of the exact gradient", "z"});
  study.charts.push_back({"loss", "Expected cost under Adam, a sample a step", "", "step", true});
  study.measure = [options](const std::string& estimator, std::uint64_t seed) {
    StudyValues values;
    const auto relative = [&](double z, double temperature) -> MeanAndDeviation {
      const double p = math::sigmoid(z), exact = p * (1 - p) * (1 - 2 * options.target);
      const MeanAndDeviation got = measure_gradient(estimator, seed, z, temperature, options);
      return {got.mean / exact - 1, got.deviation / std::fabs(exact)};
    };
    const auto add = [&](const std::string& suffix, double x, const MeanAndDeviation& got) {
      values.push_back({"bias" + suffix, x, got.mean});
      values.push_back({"deviation" + suffix, x, got.deviation});
    };
    const bool has_temperature = choose_estimator(estimator).estimator->has_temperature;
    for (const double z : {0.0, 1.0}) {
      std::optional<MeanAndDeviation> at_any;  // of an estimator without a temperature
      if (!has_temperature) at_any = relative(z, 1);
      for (const double temperature : options.temperatures) {
        add(z == 0 ? "_z0" : "_z1", temperature, at_any ? *at_any : relative(z, temperature));
      }
    }
    for (const double z : {-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0}) add("", z, relative(z, 1));
    for (StudyValue& v : descent(estimator, seed, options)) values.push_back(std::move(v));
    return values;
  };
  return study;
}

}  // namespace tk
