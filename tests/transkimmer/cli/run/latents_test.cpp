#include "transkimmer/cli/run/latents.h"

#include <cmath>
#include <string>

#include "autograd/ops/elementwise.h"
#include "autograd/ops/matmul.h"
#include "autograd/ops/reduce.h"
#include "autograd/ops/shape.h"
#include "tensor/ops/elementwise.h"
#include "tensor/ops/reduce.h"
#include "tests/support/catch.h"
#include "tests/support/tensors.h"

namespace tk {
namespace {

using namespace test;

constexpr Latents kCategorical{LatentKind::kCategorical, 2, 3}, kBinomial{LatentKind::kBinomial, 2, 3},
    kPoisson{LatentKind::kPoisson, 2, 16};

// The law of one count, up to `most`.
std::vector<double> binomial(double z, std::int64_t n) {
  const double p = 1 / (1 + std::exp(-z));
  std::vector<double> law = {std::pow(1 - p, n)};
  for (std::int64_t k = 1; k <= n; ++k) {
    law.push_back(law.back() * static_cast<double>(n - k + 1) / static_cast<double>(k) * p / (1 - p));
  }
  return law;
}
std::vector<double> poisson(double log_rate, std::int64_t most) {
  std::vector<double> law = {std::exp(-std::exp(log_rate))};
  for (std::int64_t k = 1; k <= most; ++k) law.push_back(law.back() * std::exp(log_rate) / static_cast<double>(k));
  return law;
}
double divergence(const std::vector<double>& q, const std::vector<double>& p) {
  double sum = 0;
  for (std::size_t i = 0; i < q.size(); ++i) sum += q[i] * std::log(q[i] / p[i]);
  return sum;
}

// [1, 2] counts' parameters, or [1, 2, 3] classes'.
Tensor parameters(const Latents& latents) {
  if (latents.is_categorical()) return from_values<double>({0.3, -0.5, 0.9, -1, 0.2, 0.4}, {1, 2, 3});
  return from_values<double>({0.4, -0.7}, {1, 2});
}

TEST_CASE("latents: the divergence is the sum over all values") {
  const Variable prior(from_values<double>({0.1, -0.2}, {2}));
  const auto of = [&](const Latents& latents) {
    return latents.divergence(Variable(parameters(latents)), prior).value().item();
  };
  CHECK(of(kBinomial) ==
        Approx(divergence(binomial(0.4, 3), binomial(0.1, 3)) + divergence(binomial(-0.7, 3), binomial(-0.2, 3))));
  CHECK(of(kPoisson) ==
        Approx(divergence(poisson(0.4, 40), poisson(0.1, 40)) + divergence(poisson(-0.7, 40), poisson(-0.2, 40))));
  double classes = 0;
  for (const std::vector<double>& l : {std::vector<double>{0.3, -0.5, 0.9}, std::vector<double>{-1, 0.2, 0.4}}) {
    double sum = 0;
    for (const double x : l) sum += std::exp(x);
    std::vector<double> q;
    for (const double x : l) q.push_back(std::exp(x) / sum);
    classes += divergence(q, {1.0 / 3, 1.0 / 3, 1.0 / 3});
  }
  CHECK(of(kCategorical) == Approx(classes));
}

// A cost of what is drawn, [rows, width] to [rows]; of degree 2 where `quadratic`.
Cost cost_of(const Latents& latents, bool quadratic) {
  const Tensor w = random_normal({latents.width(), 1}, 5, DType::kFloat64);
  return [w, quadratic](const Variable& drawn) {
    const Variable x = reshape(matmul(drawn, Variable(w.to(drawn.dtype()))), {drawn.size(0)}) + 0.3;
    return quadratic ? square(x) : sin(x);
  };
}

Tensor gradient(const Latents& latents, const std::string& estimator, const Tensor& at, const Cost& cost,
                std::int64_t step) {
  const Variable leaf(at, true);
  const Tensor state = make_step_state({.seed = 7, .step = step});
  sum(latents.surrogate(choose_estimator(estimator))(cost, leaf, draws_of_rows(state, at.size(0)))).backward();
  return leaf.grad();
}

// The mean of many gradients, in standard errors from the exact one.
double most_errors_off(const Latents& latents, const std::string& estimator, bool quadratic) {
  constexpr std::int64_t kRows = 20000;
  const Tensor one = parameters(latents);
  Shape shape = one.shape();
  const std::int64_t n = one.numel();
  shape[0] = kRows;
  const Cost cost = cost_of(latents, quadratic);
  const std::vector<double> exact = gradient(latents, "exact", one, cost, 0).to_vector<double>();
  const Tensor g = gradient(latents, estimator, one.expand(shape).contiguous(), cost, 1).reshape({kRows, n});
  const std::vector<double> means = mean(g, 0).to_vector<double>(), variances = var(g, 0).to_vector<double>();
  double most = 0;
  for (std::size_t i = 0; i < exact.size(); ++i) {
    most = std::max(most, std::fabs(means[i] - exact[i]) / std::sqrt(variances[i] / kRows));
  }
  return most;
}

TEST_CASE("latents: unbiased estimators agree with enumeration, and second-order ones for quadratic costs of counts") {
  for (const Latents& latents : {kCategorical, kBinomial, kPoisson}) {
    for (const char* estimator : {"reinforce", "rloo:4", "rebar", "double-cv"}) {
      INFO(choice_name(latents.kind) << ", " << estimator);
      CHECK(most_errors_off(latents, estimator, false) < 4.5);
    }
  }
  for (const Latents& latents : {kBinomial, kPoisson}) {
    for (const char* estimator : {"fini-2", "fini-3"}) {
      INFO(choice_name(latents.kind) << ", " << estimator);
      CHECK(most_errors_off(latents, estimator, true) < 4.5);
    }
  }
  CHECK(most_errors_off(kBinomial, "disarm", false) < 4.5);
  CHECK(most_errors_off(kBinomial, "reinmax", true) < 4.5);
  CHECK(most_errors_off(kBinomial, "st", true) > 10);
  CHECK(most_errors_off(kPoisson, "st-gs", true) > 10);
}

TEST_CASE("latents: of binomial counts fini-2 is ReinMax of the trials, draw for draw") {
  const Tensor at = random_normal({300, 2}, 3, DType::kFloat64);
  const Cost cost = cost_of(kBinomial, false);
  CHECK(difference(gradient(kBinomial, "fini-2", at, cost, 1), gradient(kBinomial, "zgr", at, cost, 1),
                   {1e-12, 1e-12}) == "");
}

TEST_CASE("latents: what is drawn has the law's mean and variance") {
  constexpr std::int64_t kRows = 50000;
  const auto check = [&](const Latents& latents, double mean_expected, double variance_expected) {
    const Tensor one = parameters(latents);
    Shape shape = one.shape();
    shape[0] = kRows;
    const Tensor drawn =
        latents.draw(one.expand(shape).contiguous(), draws_of_rows(make_step_state({.seed = 2}), kRows));
    REQUIRE(drawn.shape() == Shape{kRows, latents.width()});
    const Tensor first = drawn.select(1, 0).contiguous();
    const double error = std::sqrt(variance_expected / kRows);
    INFO(choice_name(latents.kind));
    CHECK(std::fabs(mean(first).item() - mean_expected) < 5 * error);
    CHECK(var(first).item() == Approx(variance_expected).epsilon(0.05));
  };
  const double p = 1 / (1 + std::exp(-0.4)), rate = std::exp(0.4);
  const double share = std::exp(0.3) / (std::exp(0.3) + std::exp(-0.5) + std::exp(0.9));
  check(kBinomial, 3 * p, 3 * p * (1 - p));
  check(kPoisson, rate, rate);
  check(kCategorical, share, share * (1 - share));
}

TEST_CASE("latents: estimators that are not for them are said") {
  const auto problem = [](const Latents& latents, const char* name) { return latents.problem(choose_estimator(name)); };
  CHECK(problem(kCategorical, "fini-2") == "--estimators: fini-2 is not for categorical latents");
  CHECK(problem(kCategorical, "disarm") == "--estimators: disarm is not for categorical latents");
  CHECK(problem(kPoisson, "relax") == "--estimators: relax is not for poisson latents");
  CHECK(problem({LatentKind::kBinomial, 1, 1}, "fini-3") == "--estimators: fini-3 needs more trials");
  CHECK(problem({LatentKind::kCategorical, 8, 4}, "exact") == "--estimators: exact takes at most 256 states");
  CHECK(problem(kBinomial, "disarm").empty());
  CHECK(problem(kPoisson, "gr:3").empty());
}

}  // namespace
}  // namespace tk
