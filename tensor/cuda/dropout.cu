#include "tensor/cuda/pack.h"
#include "tensor/cuda/random_rows.h"
#include "tensor/kernels.h"

namespace tk::cuda {
namespace {

// A thread a unit of a row.
template <class T>
__global__ void dropout_units(T* y, const T* x, RandomRows random, std::int64_t rows, std::int64_t cols, bool wide) {
  constexpr int N = kUnit<T>;
  const std::int64_t units = (cols + N - 1) / N;
  const std::int64_t i = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (i >= rows * units) return;
  const std::int64_t row = i / units, col = (i - row * units) * N, at = row * cols + col;
  const Pack<T, N> from = load<N>(x + at, cols - col, wide);
  compute_t<T> values[N];
  random.row(row).keep_factors(values, col);
  for (int k = 0; k < N; ++k) values[k] *= from[k];
  store(y + at, values, cols - col, wide);
}

}  // namespace

void dropout(Tensor& y, const Tensor& x, const DropoutKey& key) {
  if (y.numel() == 0) return;
  dispatch_arithmetic(y.dtype(), "dropout", [&]<class T>() {
    const std::int64_t rows = y.shape()[0], cols = y.shape()[1];
    dropout_units<<<blocks(rows * blocks(cols, kUnit<T>), kThreads), kThreads, 0, stream()>>>(
        y.data<T>(), x.data<T>(), RandomRows(key), rows, cols, wide_rows(cols, kUnit<T>, y, x));
    check_launch("dropout");
  });
}

}  // namespace tk::cuda
