#include "tensor/cuda/held_rows.h"
#include "tensor/kernels.h"

namespace tk::cuda {
namespace {

constexpr int kRows = kThreads / kWarp;  // of a block

// A warp a row.
__global__ void __launch_bounds__(kThreads)
    normalize_counted(BFloat16* y, BFloat16* copy, const BFloat16* residual, ResidualBranch branch,
                      const std::int32_t* count, const std::int32_t* place, const std::int32_t* copy_place) {
  const int row = static_cast<int>(blockIdx.x) * kRows + static_cast<int>(threadIdx.x) / kWarp;
  if (row >= *count) return;
  const std::int64_t to = place == nullptr ? row : place[row];
  const std::int64_t copy_to = copy_place == nullptr ? -1 : copy_place[to];
  HeldRows<1> held;
  held.load_rows(branch.hidden, [&](int) { return residual + std::int64_t{row} * branch.hidden; });
  branch.apply(held, {row});
  held.store_row(0, y + to * branch.hidden, branch.hidden);
  if (copy_to >= 0) held.store_row(0, copy + copy_to * branch.hidden, branch.hidden);
}

}  // namespace

void counted_residual_norm(Tensor& y, Tensor& copy, const Tensor& residual, const Tensor& branch,
                           const ResidualNorm& norm, const Tensor& count, const Tensor& place,
                           const Tensor& copy_place) {
  const std::int64_t most = residual.shape()[0];
  if (most == 0) return;
  normalize_counted<<<blocks(most, kRows), kThreads, 0, stream()>>>(
      y.data<BFloat16>(), data_or_null<BFloat16>(copy), residual.data<BFloat16>(),
      ResidualBranch(branch, norm, residual.shape()[1]), count.data<std::int32_t>(), data_or_null<std::int32_t>(place),
      data_or_null<std::int32_t>(copy_place));
  check_launch("counted_residual_norm");
}

}  // namespace tk::cuda
