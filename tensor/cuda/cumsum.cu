#include "tensor/cuda/launch.h"
#include "tensor/kernels.h"

namespace tk::cuda {
namespace {

// A block a row, as many elements at once as it has threads: sums within a warp, over the warps before it, and of all
// elements before these.
template <class T>
__global__ void __launch_bounds__(kThreads) cumsum_of_row(T* y, const T* x, std::int64_t cols, bool reverse) {
  using C = compute_t<T>;
  __shared__ C of_warp[kThreads / kWarp];
  const int lane = threadIdx.x % kWarp, warp = threadIdx.x / kWarp;
  C done = 0;
  for (std::int64_t base = 0; base < cols; base += kThreads) {
    const std::int64_t i = base + threadIdx.x;
    const std::int64_t at = blockIdx.x * cols + (reverse ? cols - 1 - i : i);
    C sum = i < cols ? static_cast<C>(x[at]) : C(0);
    for (int distance = 1; distance < kWarp; distance *= 2) {
      const C before = __shfl_up_sync(~0u, sum, distance);
      if (lane >= distance) sum += before;
    }
    __syncthreads();  // readers of the last sums are done
    if (lane == kWarp - 1) of_warp[warp] = sum;
    __syncthreads();
    C before = done;
    for (int w = 0; w < kThreads / kWarp; ++w) {
      if (w == warp) before = done;
      done += of_warp[w];
    }
    if (i < cols) y[at] = static_cast<T>(before + sum);
  }
}

}  // namespace

void cumsum_rows(Tensor& y, const Tensor& x, bool reverse) {
  if (x.numel() == 0) return;
  const std::int64_t cols = x.shape().back();
  dispatch_arithmetic(x.dtype(), "cumsum", [&]<class T>() {
    cumsum_of_row<<<blocks(x.numel() / cols, 1), kThreads, 0, stream()>>>(y.data<T>(), x.data<T>(), cols, reverse);
    check_launch("cumsum");
  });
}

}  // namespace tk::cuda
