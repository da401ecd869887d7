// Goodness of fit of what the estimators draw, at 10^7 numbers: the cases are hidden, and ctest runs them as
// autograd/slow.
#include <cmath>
#include <functional>

#include "autograd/estimators/choices.h"
#include "tensor/ops/gate.h"
#include "tensor/ops/softmax.h"
#include "tests/autograd/samples.h"

using namespace tk;
using namespace tk::test;

namespace {

constexpr std::int64_t kRows = 10000000;

// Pearson's statistic of counts beside those expected, in standard deviations of its distribution.
double chi_square(const std::vector<double>& counts, const std::vector<double>& expected) {
  double statistic = 0;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    statistic += (counts[i] - expected[i]) * (counts[i] - expected[i]) / expected[i];
  }
  const auto freedom = static_cast<double>(counts.size() - 1);
  return (statistic - freedom) / std::sqrt(2 * freedom);
}

// Numbers whose distribution function is `cdf` fall into bins of equal probability alike; the tails beyond 10^-3,
// 10^-4, 10^-5 and 10^-6 on either side have their share.
void check_distribution(const Tensor& x, const std::function<double(double)>& cdf) {
  constexpr int kBins = 1000;
  constexpr double kTails[] = {1e-3, 1e-4, 1e-5, 1e-6};
  std::vector<double> counts(kBins, 0.0), low(std::size(kTails), 0.0), high(std::size(kTails), 0.0);
  const auto* values = x.data<float>();
  for (std::int64_t i = 0; i < x.numel(); ++i) {
    const double u = cdf(double{values[i]});
    ++counts[static_cast<std::size_t>(std::min<int>(kBins - 1, static_cast<int>(u * kBins)))];
    for (std::size_t t = 0; t < std::size(kTails); ++t) {
      low[t] += u < kTails[t];
      high[t] += 1 - u < kTails[t];
    }
  }
  const auto n = static_cast<double>(x.numel());
  CHECK(std::fabs(chi_square(counts, std::vector<double>(kBins, n / kBins))) < 4);
  for (std::size_t t = 0; t < std::size(kTails); ++t) {
    INFO("tail " << kTails[t] << ": " << low[t] << " and " << high[t]);
    const double expected = n * kTails[t], margin = 4.5 * std::sqrt(expected) + 1;
    CHECK(std::fabs(low[t] - expected) < margin);
    CHECK(std::fabs(high[t] - expected) < margin);
  }
}

Draws many_draws() { return draws_of_rows(make_step_state({.seed = 21}), kRows); }

}  // namespace

TEST_CASE("sampling: logistic noise fits its distribution, tails included", "[.slow]") {
  check_distribution(logistic_noise(many_draws().key(0), 1), [](double x) { return 1 / (1 + std::exp(-x)); });
}

TEST_CASE("sampling: Gumbel noise fits its distribution, tails included", "[.slow]") {
  check_distribution(gumbel_noise(many_draws().key(0), 1), [](double x) { return std::exp(-std::exp(-x)); });
}

TEST_CASE("sampling: classes and gates come with their probabilities, rare ones too", "[.slow]") {
  const std::vector<float> logits = {0, 1, -2, 3, -9, 2};
  const Tensor l = from_values(logits, {1, 6}).expand({kRows, 1, 6}).contiguous();
  const Tensor p = softmax(from_values(logits, {1, 6}));
  const Tensor choices = choose(l, choice_noise(l, many_draws(), 0).front());
  std::vector<double> counts(6, 0.0), expected;
  for (std::int64_t i = 0; i < choices.numel(); ++i)
    counts[static_cast<std::size_t>(i % 6)] += choices.data<float>()[i];
  for (int c = 0; c < 6; ++c) expected.push_back(double{p.data<float>()[c]} * kRows);
  CHECK(std::fabs(chi_square(counts, expected)) < 4);
  for (const double z : {-12.0, -5.0, 0.0, 3.0}) {
    const Tensor gates = full({kRows, 1}, z);
    const double open = moments(choose(gates, choice_noise(gates, many_draws(), 1).front())).mean * kRows;
    const double share = 1 / (1 + std::exp(-z));
    INFO("z " << z);
    CHECK(std::fabs(open - share * kRows) < 4.5 * std::sqrt(share * (1 - share) * kRows) + 1);
  }
}

TEST_CASE("sampling: noise given a choice fits the noise that made it", "[.slow]") {
  // Of all numbers together the conditional ones, each given its own choice, have the distribution of free ones.
  const std::int64_t rows = kRows / 10;
  const Draws draws = draws_of_rows(make_step_state({.seed = 22}), rows);
  const Tensor z = full({rows, 1}, 1.3);
  const Tensor b = choose(z, choice_noise(z, draws, 0).front());
  const Tensor noisy = noisy_given_choices(Variable(z), b, choice_noise(z, draws, 1).front()).value();
  const auto logistic = [](double x) { return 1 / (1 + std::exp(-(x - 1.3))); };
  const Moments given = moments(noisy);
  CHECK(std::fabs(given.mean - 1.3) < 4 * given.deviation / std::sqrt(double(rows)));
  std::vector<double> counts(100, 0.0);
  for (std::int64_t i = 0; i < rows; ++i) {
    const double x = noisy.data<float>()[i];
    CHECK((x > 0) == (b.data<float>()[i] > 0));
    ++counts[static_cast<std::size_t>(std::min(99, static_cast<int>(100 * logistic(x))))];
  }
  CHECK(std::fabs(chi_square(counts, std::vector<double>(100, static_cast<double>(rows) / 100))) < 4);
}
