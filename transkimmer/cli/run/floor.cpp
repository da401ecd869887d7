#include "transkimmer/cli/run/floor.h"

#include <algorithm>
#include <chrono>
#include <functional>
#include <vector>

#include "tensor/allocator.h"
#include "tensor/backend.h"
#include "tensor/host_memory.h"
#include "tensor/ops/matmul.h"
#include "tensor/precision.h"
#include "tensor/threads.h"

namespace tk {
namespace {

constexpr double kProductsOfStep = 3;  // y = x w; dx = dy w^T; dw = x^T dy
// Large enough to fill what computes it: a GPU has many times the cores.
constexpr std::int64_t product_size(Device device) { return device == Device::kCpu ? 1536 : 8192; }
constexpr std::int64_t kCopyBytes = std::int64_t{64} << 20;
constexpr double kSeconds = 0.3;  // of runs

// Seconds of the fastest of several runs, after one to warm up.
double least_seconds(Device device, const std::function<void()>& run) {
  using Clock = std::chrono::steady_clock;
  const auto seconds_since = [](Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
  };
  const auto timed = [&] {
    const Clock::time_point start = Clock::now();
    run();
    synchronize(device);
    return seconds_since(start);
  };
  timed();
  const Clock::time_point start = Clock::now();
  double least = timed();
  while (seconds_since(start) < kSeconds) least = std::min(least, timed());
  return least;
}

// Normal numbers, the same few rows over and over: equal ones would cost a GPU less power, and so less time.
Tensor random_matrix(std::int64_t n, std::uint32_t sequence) {
  constexpr std::int64_t kRows = 64;
  const Tensor rows = empty({1, kRows, n});
  init_normal(rows, 0, 1, /*seed=*/1, sequence);
  return rows.expand({n / kRows, kRows, n}).reshape({n, n});
}

double product_seconds(Device device, DType dtype) {
  const std::int64_t n = product_size(device);
  if (dtype == DType::kInt8) {
    const Tensor x = random_matrix(n, 1);
    const PackedInt8Weight w(quantize_rows(random_matrix(n, 2)));
    return least_seconds(device, [&] { linear(x, w, Tensor()); });
  }
  const WithProductPrecision precision(precision_of(device, dtype));
  const DType stored = activation_dtype(device, dtype);
  const Tensor a = random_matrix(n, 1).to(stored).to(device);
  const Tensor b = random_matrix(n, 2).to(stored).to(device);
  const double own = least_seconds(device, [&] { matmul(a, b); });
  if (device != Device::kCpu || dtype != DType::kFloat32) return own;
  Tensor y = empty({n, n}, dtype);
  return std::min(own, least_seconds(device, [&] { multiply_by_blas(y, a, b); }));
}

double copy_seconds(Device device) {
  const Tensor from = full({kCopyBytes / 4}, 1, DType::kFloat32, device);
  const Tensor to = empty(from.shape(), DType::kFloat32, device);
  return least_seconds(device, [&] { to.copy_from(from); });
}

}  // namespace

double training_macs(const Config& config, const Packed& rows) {
  const std::vector<double> all = count_rows(rows.offsets);
  std::vector<LayerRows> layers(static_cast<std::size_t>(config.num_hidden_layers), {all, all, all, {}});
  const bool head_reads_all = mac_coefficients(config).head_row > 0;
  if (!head_reads_all) layers.back().updated = layers.back().fed = std::vector<double>(all.size(), 1);
  for (std::int64_t i = 0; i < config.num_predictors(); ++i) layers[static_cast<std::size_t>(i)].predicted = all;
  return kProductsOfStep * executed_macs(config, layers, rows);
}

double optimizer_bytes(const FlatParameters& parameters, std::int64_t touched_rows) {
  constexpr double kElement = 8 * sizeof(float);  // reads the gradient twice, value and moments; writes these three
  constexpr double kTouched = 6 * sizeof(float);  // reads and writes value and moments
  double bytes = kElement * static_cast<double>(parameters.value.numel());
  if (parameters.copy.defined()) bytes += static_cast<double>(parameters.copy.bytes());
  for (const SparseParameter& table : parameters.sparse) {
    bytes += kTouched * static_cast<double>(touched_rows * table.parameter->value().shape()[1]);
  }
  return bytes;
}

MachineRates measure_rates(Device device, DType dtype) {
  const auto n = static_cast<double>(product_size(device));
  const MachineRates rates = {.macs_per_second = n * n * n / product_seconds(device, dtype),
                              .bytes_per_second = 2 * static_cast<double>(kCopyBytes) / copy_seconds(device)};
  release_cached(device);
  reset_peak(device);
  reset_peak_host_memory();
  return rates;
}

double floor_seconds(const Work& work, const MachineRates& rates) {
  return work.macs / rates.macs_per_second + work.bytes / rates.bytes_per_second;
}

}  // namespace tk
