// Times the pathwise estimators on a million gates, forward and backward, as benchmarks/peers/estimators.py does in
// PyTorch: median of the repetitions, in milliseconds.
#include <omp.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <vector>

#include "autograd/estimators/estimators.h"
#include "tensor/ops/gate.h"
#include "tensor/threads.h"

using namespace tk;

namespace {

double milliseconds(const ChosenEstimator& chosen, std::int64_t gates) {
  const Variable z(full({gates}, 0.3), true);
  const Tensor dy = full({gates}, 1);
  const Draws draws = draws_of_rows(make_step_state({.seed = 1}), gates);
  const auto start = std::chrono::steady_clock::now();
  const Tensor noise = logistic_noise(draws.key(0), 1).squeeze(1);
  chosen.estimator->gates(z, noise, draws, chosen.options).backward(dy);
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

int main(int argc, char** argv) {
  std::int64_t gates = 1000000;
  int repetitions = 21, threads = omp_get_max_threads();
  std::vector<std::string> names = {"st-gs", "gr:10", "reinmax"};
  CLI::App app("Times the pathwise estimators of gates");
  app.add_option("--gates", gates);
  app.add_option("--repetitions", repetitions);
  app.add_option("--threads", threads);
  app.add_option("--estimators", names)->delimiter(',');
  CLI11_PARSE(app, argc, argv);
  set_num_threads(threads);
  for (const std::string& name : names) {
    std::vector<double> times;
    for (int i = 0; i < repetitions; ++i) times.push_back(milliseconds(choose_estimator(name), gates));
    std::nth_element(times.begin(), times.begin() + repetitions / 2, times.end());
    std::printf("%-12s %8.2f ms\n", name.c_str(), times[static_cast<std::size_t>(repetitions / 2)]);
  }
}
