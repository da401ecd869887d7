// Bias and deviation of gradient estimators for a coin b with the cost (b - 0.45)^2. The truth is p (1 - p) 0.1.
#include <cmath>
#include <cstdio>

#include "nn/nn.h"

int main() {
  using namespace tk;
  const std::int64_t rows = 20000;
  const Cost cost = [](const Variable& b) { return sum(square(b - 0.45), 1); };
  const Tensor state = make_step_state({.seed = 1, .step = 1});
  const double p = 1 / (1 + std::exp(-1.0)), truth = p * (1 - p) * 0.1;
  bool right = true;
  for (const char* name : {"st", "st-gs", "reinmax", "reinforce", "rloo:4", "disarm", "rebar"}) {
    const ChosenEstimator chosen = choose_estimator(name);
    const Variable z(ones({rows, 1}), true);
    sum(make_surrogate(chosen)(cost, z, draws_of_rows(state, rows))).backward();
    const double bias = mean(z.grad()).item() - truth, deviation = std::sqrt(var(z.grad()).item());
    std::printf("%-10s bias %7.4f, deviation %.4f\n", name, bias, deviation);
    if (chosen.estimator->bias == Bias::kUnbiased) right &= std::fabs(bias) < 5 * deviation / std::sqrt(rows);
  }
  return right ? 0 : 1;
}
