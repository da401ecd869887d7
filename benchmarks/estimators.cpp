// Times the pathwise estimators on a million gates, forward and backward, as benchmarks/peers/estimators.py does in
// PyTorch: median of the repetitions and their range. On a GPU beside the time that the bytes take which no program can
// do without, at the rate of a large copy: z, its gradient and the names of the rows are read once, choices and their
// gradient written once; and beside two copies, of z and of the choices' gradient.
#include <omp.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <nlohmann/json.hpp>
#include <vector>

#include "autograd/estimators/estimators.h"
#include "tensor/backend.h"
#include "tensor/capture.h"
#include "tensor/ops/gate.h"
#include "tensor/threads.h"

using namespace tk;

namespace {

struct Options {
  std::int64_t gates = 1000000, row_gates = 1;
  int repetitions = 21, threads = omp_get_max_threads();
  bool cpu_time = false;
  std::string device = "cpu";
  std::vector<std::string> names = {"st-gs", "gr:10", "reinmax"};
};

struct Times {
  double median, least, most;

  explicit Times(std::vector<double> all) {
    std::ranges::sort(all);
    median = all[all.size() / 2], least = all.front(), most = all.back();
  }
};

struct Inputs {
  Tensor z, dy;  // [rows, gates of a row]
  Draws draws;

  Inputs(std::int64_t rows, std::int64_t row_gates, Device device)
      : z(full({rows, row_gates}, 0.3, DType::kFloat32, device)),
        dy(full({rows, row_gates}, 1, DType::kFloat32, device)),
        draws(draws_of_rows(make_step_state({.seed = 1}, device), rows)) {}

  std::int64_t least_bytes() const {
    return 2 * (z.bytes() + dy.bytes()) + draws.example.bytes() + draws.position.bytes();
  }
};

// The choices and dz.
Tensors pass(const ChosenEstimator& chosen, const Inputs& in) {
  const Variable z(in.z, true);
  const Variable choices = chosen.estimator->gates(z, {}, in.draws, chosen.options);
  choices.backward(in.dy);
  return {choices.value(), z.grad()};
}

// In seconds, of a clock on the wall, or of the processor's time of all threads, which a busy machine changes little.
double now(bool cpu_time) {
  if (cpu_time) return static_cast<double>(std::clock()) / CLOCKS_PER_SEC;
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

template <class F>
Times time_of(const Options& options, F&& work) {
  std::vector<double> seconds;
  for (int i = 0; i < options.repetitions; ++i) {
    const double start = now(options.cpu_time);
    work();
    seconds.push_back(now(options.cpu_time) - start);
  }
  return Times(seconds);
}

void print_on_cpu(const Options& options) {
  const Inputs inputs(options.gates / options.row_gates, options.row_gates, Device::kCpu);
  for (const std::string& name : options.names) {
    const ChosenEstimator chosen = choose_estimator(name);
    const Times t = time_of(options, [&] { pass(chosen, inputs); });
    std::printf("%-12s %8.2f ms (%.2f to %.2f)\n", name.c_str(), 1e3 * t.median, 1e3 * t.least, 1e3 * t.most);
  }
}

// Replays a graph of many passes, each on memory of its own and together more than any cache holds, and divides.
template <class F>
Times seconds_of_pass(const Options& options, const std::vector<Inputs>& inputs, F&& pass) {
  constexpr int kReplays = 10;
  std::vector<Tensors> outputs(inputs.size());
  const auto work = [&] {
    for (std::size_t i = 0; i < inputs.size(); ++i) outputs[i] = pass(inputs[i]);
  };
  work();
  const Capture graph = Capture::record(Device::kCuda, work);
  const auto replay = [&] {
    for (int i = 0; i < kReplays; ++i) graph.replay();
    synchronize(Device::kCuda);
  };
  replay();
  Times t = time_of(options, replay);
  const double passes = kReplays * static_cast<double>(inputs.size());
  t.median /= passes, t.least /= passes, t.most /= passes;
  return t;
}

// Bytes a second that a copy of 1 GiB reads and writes.
double copy_rate(const Options& options) {
  constexpr int kCopies = 10;
  const Tensor from = zeros({std::int64_t{1} << 28}, DType::kFloat32, Device::kCuda), to = empty_like(from);
  const auto copy = [&] {
    for (int i = 0; i < kCopies; ++i) to.copy_from(from);
    synchronize(Device::kCuda);
  };
  copy();
  return kCopies * 2.0 * static_cast<double>(from.bytes()) / time_of(options, copy).median;
}

void print_on_cuda(const Options& options) {
  constexpr double kBytesOfAll = 512 << 20;
  const double rate = copy_rate(options);
  std::vector<Inputs> inputs;
  do {
    inputs.emplace_back(options.gates / options.row_gates, options.row_gates, Device::kCuda);
  } while (static_cast<double>(inputs.size()) * static_cast<double>(inputs.front().least_bytes()) < kBytesOfAll);
  const auto bytes = static_cast<double>(inputs.front().least_bytes());
  const double least = bytes / rate;
  const auto timed = [&](auto&& pass) -> nlohmann::json {
    const Times t = seconds_of_pass(options, inputs, pass);
    return {
        {"microseconds", 1e6 * t.median}, {"min", 1e6 * t.least}, {"max", 1e6 * t.most}, {"ratio", t.median / least}};
  };
  nlohmann::json results;
  for (const std::string& name : options.names) {
    results[name] = timed([chosen = choose_estimator(name)](const Inputs& in) { return pass(chosen, in); });
  }
  results["two copies"] = timed([](const Inputs& in) -> Tensors { return {in.z.clone(), in.dy.clone()}; });
  const nlohmann::json all = {{"device", backend(Device::kCuda).describe()},
                              {"gates", options.gates},
                              {"row_gates", options.row_gates},
                              {"copy_bytes_per_second", rate},
                              {"least_bytes", bytes},
                              {"least_microseconds", 1e6 * least},
                              {"estimators", results}};
  std::printf("%s\n", all.dump().c_str());
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app("Times the pathwise estimators of gates");
  app.add_option("--gates", options.gates);
  app.add_option("--row_gates", options.row_gates, "gates of a row that names their random numbers");
  app.add_option("--repetitions", options.repetitions);
  app.add_option("--threads", options.threads);
  app.add_option("--device", options.device, "cuda prints an object of JSON")->check(CLI::IsMember({"cpu", "cuda"}));
  app.add_flag("--cpu_time", options.cpu_time, "the processor's time in place of that on the wall");
  app.add_option("--estimators", options.names)->delimiter(',');
  CLI11_PARSE(app, argc, argv);
  if (options.cpu_time && options.device != "cpu") return app.exit(CLI::ExcludesError("--cpu_time", "--device cuda"));
  set_num_threads(options.threads);
  try {
    options.device == "cuda" ? print_on_cuda(options) : print_on_cpu(options);
  } catch (const Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
