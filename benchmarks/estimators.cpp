// Times the pathwise estimators on a million gates, forward and backward, as benchmarks/peers/estimators.py does in
// PyTorch: median of the repetitions and their range, in milliseconds.
#include <omp.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <vector>

#include "autograd/estimators/estimators.h"
#include "tensor/ops/gate.h"
#include "tensor/threads.h"

using namespace tk;

namespace {

// Of a clock on the wall, or of the processor's time of all threads, which a busy machine changes little.
double now(bool cpu_time) {
  if (cpu_time) return 1e3 * static_cast<double>(std::clock()) / CLOCKS_PER_SEC;
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

double milliseconds(const ChosenEstimator& chosen, std::int64_t gates, bool cpu_time) {
  const Variable z(full({gates}, 0.3), true);
  const Tensor dy = full({gates}, 1);
  const Draws draws = draws_of_rows(make_step_state({.seed = 1}), gates);
  const double start = now(cpu_time);
  const Tensor noise = logistic_noise(draws.key(0), 1).squeeze(1);
  chosen.estimator->gates(z, noise, draws, chosen.options).backward(dy);
  return now(cpu_time) - start;
}

}  // namespace

int main(int argc, char** argv) {
  std::int64_t gates = 1000000;
  int repetitions = 21, threads = omp_get_max_threads();
  bool cpu_time = false;
  std::vector<std::string> names = {"st-gs", "gr:10", "reinmax"};
  CLI::App app("Times the pathwise estimators of gates");
  app.add_option("--gates", gates);
  app.add_option("--repetitions", repetitions);
  app.add_option("--threads", threads);
  app.add_flag("--cpu_time", cpu_time, "the processor's time in place of that on the wall");
  app.add_option("--estimators", names)->delimiter(',');
  CLI11_PARSE(app, argc, argv);
  set_num_threads(threads);
  for (const std::string& name : names) {
    std::vector<double> times;
    for (int i = 0; i < repetitions; ++i) times.push_back(milliseconds(choose_estimator(name), gates, cpu_time));
    std::ranges::sort(times);
    std::printf("%-12s %8.2f ms (%.2f to %.2f)\n", name.c_str(), times[times.size() / 2], times.front(), times.back());
  }
}
