// Rates of linear layers' products with packed weights, on each instruction set that the processor has and in each
// dtype, in multiply-adds a nanosecond: the fastest of many runs, and the median. By default on one thread, of the
// sizes of MiniLM's query, key and value: a batch of 32 sentences, and one short one.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <functional>
#include <vector>

#include "nn/parameter.h"
#include "tensor/cpu_isa.h"
#include "tensor/ops/matmul.h"
#include "tensor/precision.h"
#include "tensor/threads.h"

using namespace tk;

namespace {

struct Size {
  std::int64_t rows, in, out;
};

void print_rates(const Size& size, const char* dtype, double seconds, const std::function<void()>& run) {
  using Clock = std::chrono::steady_clock;
  const auto since = [](Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
  };
  run();
  std::vector<double> times;
  for (const Clock::time_point start = Clock::now(); since(start) < seconds;) {
    const Clock::time_point begin = Clock::now();
    run();
    times.push_back(since(begin));
  }
  std::ranges::sort(times);
  const double macs = 1e-9 * static_cast<double>(size.rows * size.in * size.out);
  std::printf("%-12s %-9s %5d x %5d x %5d %9.1f %9.1f\n", std::string(name(cpu_isa())).c_str(), dtype,
              static_cast<int>(size.rows), static_cast<int>(size.in), static_cast<int>(size.out), macs / times.front(),
              macs / times[times.size() / 2]);
}

void print_all(const Size& size, double seconds) {
  const Tensor x = empty({size.rows, size.in}), w = empty({size.out, size.in}), bias = zeros({size.out});
  init_normal(x, 0, 1, 1, 1);
  init_normal(w, 0, 1, 1, 2);
  const PackedInt8Weight in_int8(quantize_rows(w));
  for (const CpuIsa isa : kAllCpuIsas) {
    if (!has_cpu_isa(isa)) continue;
    const WithCpuIsa used(isa);
    for (const ProductPrecision precision : {ProductPrecision::kFloat32, ProductPrecision::kBFloat16}) {
      const bool is_bfloat16 = precision == ProductPrecision::kBFloat16;
      if (is_bfloat16 && isa < CpuIsa::kAvx512Bf16) continue;
      const WithProductPrecision rounded(precision);
      const PackedWeight packed(w);
      if (packed.serves()) {
        print_rates(size, is_bfloat16 ? "bfloat16" : "float32", seconds, [&] { linear(x, packed, bias); });
      }
    }
    print_rates(size, "int8", seconds, [&] { linear(x, in_int8, bias); });
  }
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::int64_t> rows = {800, 32};
  std::int64_t in = 384, out = 1152;
  int threads = 1;
  double seconds = 0.5;
  CLI::App app("Rates of linear layers' products on each instruction set");
  app.add_option("--rows", rows)->delimiter(',');
  app.add_option("--in", in);
  app.add_option("--out", out);
  app.add_option("--threads", threads);
  app.add_option("--seconds", seconds, "of each line");
  CLI11_PARSE(app, argc, argv);
  set_num_threads(threads);
  std::printf("%-12s %-9s %-21s %9s %9s   multiply-adds a nanosecond\n", "isa", "dtype", "rows x in x out", "best",
              "median");
  for (const std::int64_t n : rows) print_all({.rows = n, .in = in, .out = out}, seconds);
}
