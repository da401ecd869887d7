#include "autograd/estimators/least_norm.h"

#include <cmath>
#include <functional>

#include "autograd/estimators/sloped_gate.h"
#include "autograd/ops/elementwise.h"
#include "autograd/ops/reduce.h"
#include "tensor/ops/gate.h"
#include "tests/autograd/samples.h"

using namespace tk;
using namespace tk::test;

namespace {

// log p(x) of counts 0 .. most, in the natural parameter.
using LogProbability = std::function<double(double parameter, std::int64_t x)>;

double log_binomial(double z, std::int64_t x, std::int64_t n) {
  const auto factorial = [](std::int64_t k) { return std::lgamma(static_cast<double>(k) + 1); };
  return factorial(n) - factorial(x) - factorial(n - x) + static_cast<double>(x) * z -
         static_cast<double>(n) * std::log1p(std::exp(z));
}
double log_poisson(double log_rate, std::int64_t x) {
  return static_cast<double>(x) * log_rate - std::exp(log_rate) - std::lgamma(static_cast<double>(x) + 1);
}

// |E f'(x) w(x) - dE f(x)| for f = x^degree.
double bias(double parameter, std::int64_t most, const LogProbability& log_p,
            const std::function<CentralMoments(const Tensor&)>& moments, int order, int degree) {
  const auto expected = [&](double at) {
    double sum = 0;
    for (std::int64_t x = 0; x <= most; ++x) sum += std::exp(log_p(at, x)) * std::pow(static_cast<double>(x), degree);
    return sum;
  };
  std::vector<double> counts;
  for (std::int64_t x = 0; x <= most; ++x) counts.push_back(static_cast<double>(x));
  const Variable z(full({most + 1}, parameter, DType::kFloat64), true);
  sum(least_norm(z, from_values(counts), moments(z.value()), order)).backward();
  double mean = 0;
  for (std::int64_t x = 0; x <= most; ++x) {
    mean += std::exp(log_p(parameter, x)) * degree * std::pow(static_cast<double>(x), degree - 1) *
            z.grad().data<double>()[x];
  }
  const double step = 1e-5;
  return std::fabs(mean - (expected(parameter + step) - expected(parameter - step)) / (2 * step));
}

}  // namespace

TEST_CASE("least_norm: has no bias for polynomials up to its order, and some for the next") {
  for (const double z : {-1.0, 0.3}) {
    for (const int order : {2, 3}) {
      for (const int degree : {1, 2, 3, 4}) {
        const double binomial = bias(
            z, 5, [](double at, std::int64_t x) { return log_binomial(at, x, 5); },
            [](const Tensor& t) { return binomial_moments(t, 5); }, order, degree);
        const double poisson = bias(z, 60, log_poisson, poisson_moments, order, degree);
        INFO("parameter " << z << ", order " << order << ", degree " << degree << ": " << binomial << ", " << poisson);
        CHECK((binomial < 1e-6) == (degree <= order));
        CHECK((poisson < 1e-6) == (degree <= order));
      }
    }
  }
}

TEST_CASE("least_norm_binomial: of one trial it is the gate of least norm") {
  const Tensor z = random_normal({50}, 1, DType::kFloat64);
  const Tensor noise = random_normal({50}, 2, DType::kFloat64);
  const Variable count(z, true), gate(z, true);
  sum(exp(least_norm_binomial(count, noise.unsqueeze(1), 2))).backward();
  sum(exp(sloped_gate(gate, noise, make_step_state({}), {.slope = GateSlope::kLeastNorm}))).backward();
  CHECK(difference(count.grad(), gate.grad(), kSameInFloat64) == "");
}

TEST_CASE("least_norm_binomial: counts have the binomial's mean and variance, the gradient the exact one of a square") {
  constexpr std::int64_t kTrials = 8;
  const Variable z(full({kSamples}, 0.5), true);
  const Variable x = least_norm_binomial(z, logistic_noise(sample_key(), kTrials), 3);
  const double p = 1 / (1 + std::exp(-0.5)), variance = kTrials * p * (1 - p);
  CHECK(moments(x.value()).mean == Approx(kTrials * p).epsilon(0.005));
  CHECK(moments(x.value()).deviation == Approx(std::sqrt(variance)).epsilon(0.01));
  sum(square(x)).backward();
  const Moments gradient = moments(z.grad());
  const double exact = variance * (1 - 2 * p) + 2 * kTrials * p * variance;  // of n p q + (n p)^2
  CHECK(std::fabs(gradient.mean - exact) < 4 * gradient.deviation / std::sqrt(double{kSamples}));
}

TEST_CASE("poisson_counts: have the Poisson's probabilities") {
  for (const double rate : {0.05, 1.0, 6.0}) {
    const Tensor counts = poisson_counts(full({kSamples}, std::log(rate)), gumbel_noise(sample_key(), 32));
    std::vector<double> seen(33, 0.0);
    for (const float x : counts.to_vector<float>()) ++seen[static_cast<std::size_t>(x)];
    for (std::int64_t x = 0; x < 20; ++x) {
      const double expected = kSamples * std::exp(log_poisson(std::log(rate), x));
      INFO("rate " << rate << ", count " << x);
      CHECK(std::fabs(seen[static_cast<std::size_t>(x)] - expected) < 5 * std::sqrt(expected) + 1);
    }
  }
}

TEST_CASE("least_norm_poisson: the gradient of a square and of a cube is the exact one") {
  const double rate = 1.5;
  for (const int order : {2, 3}) {
    const Variable r(full({kSamples}, std::log(rate), DType::kFloat64), true);
    const Variable x = least_norm_poisson(r, gumbel_noise(sample_key(), 24, DType::kFloat64), order);
    sum(order == 2 ? square(x) : square(x) * x).backward();
    const Moments gradient = moments(r.grad());
    // E x^2 = r + r^2, E x^3 = r + 3 r^2 + r^3, by their derivatives in log r.
    const double exact = order == 2 ? rate + 2 * rate * rate : rate + 6 * rate * rate + 3 * rate * rate * rate;
    CHECK(std::fabs(gradient.mean - exact) < 4 * gradient.deviation / std::sqrt(double{kSamples}));
  }
}

TEST_CASE("least_norm: what it cannot do is said") {
  CHECK(message_of([] {
          least_norm_binomial(Variable(zeros({3})), zeros({3, 1}), 3);
        }) == "least_norm_binomial: order 3 needs counts of at least 2, got 1");
  CHECK(message_of([] { least_norm(Variable(zeros({3})), zeros({3}), poisson_moments(zeros({3})), 4); }) ==
        "least_norm: expected an order of 2 or 3, got 4");
}
