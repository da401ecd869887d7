#include "tensor/cuda/block_reduce.h"
#include "tensor/cuda/column_sums.h"
#include "tensor/cuda/largest.h"
#include "tensor/kernels.h"

namespace tk::cuda {
namespace {

constexpr std::int64_t kColumnChunk = 16384;  // of a row, for a block
constexpr std::int64_t kRowChunk = 128;
constexpr std::int64_t kMostRowChunks = 4096;

// y[row, chunk] = the sum of a chunk of a row of x; a block each.
template <class X, class Y>
__global__ void sum_chunks_of_columns(Y* y, const X* x, std::int64_t cols, std::int64_t chunk, std::int64_t chunks,
                                      bool wide) {
  constexpr int N = kUnit<X>;
  const std::int64_t row = blockIdx.x / chunks;
  const std::int64_t begin = blockIdx.x % chunks * chunk, end = min(cols, begin + chunk);
  compute_t<X> sum = 0;
#pragma unroll 4
  for (std::int64_t col = begin + threadIdx.x * N; col < end; col += blockDim.x * N) {
    const Pack<X, N> values = load<N>(x + row * cols + col, end - col, wide);
    for (int k = 0; k < N; ++k) sum += values[k];
  }
  sum = block_reduce(sum, Sum{});
  if (threadIdx.x == 0) y[blockIdx.x] = static_cast<Y>(sum);
}

template <class X, class Y>
void launch_row_sums(Y* y, const X* x, std::int64_t rows, std::int64_t cols, std::int64_t chunk) {
  const std::int64_t chunks = blocks(cols, chunk);
  const bool wide = cols % kUnit<X> == 0 && reinterpret_cast<std::uintptr_t>(x) % 16 == 0;
  const unsigned threads = row_threads(std::min(cols, chunk), kUnit<X>);
  sum_chunks_of_columns<<<blocks(rows * chunks, 1), threads, 0, stream()>>>(y, x, cols, chunk, chunks, wide);
  check_launch("sum_rows");
}

template <class T>
__global__ void max_of_row(T* y, const T* x, std::int64_t cols) {
  x += blockIdx.x * cols;
  auto largest = static_cast<compute_t<T>>(x[0]);
  for (std::int64_t i = threadIdx.x; i < cols; i += blockDim.x)
    largest = Largest{}(static_cast<compute_t<T>>(x[i]), largest);
  largest = block_reduce(largest, Largest{});
  if (threadIdx.x == 0) y[blockIdx.x] = static_cast<T>(largest);
}

// A warp a row.
template <class T>
__global__ void argmax_of_row(std::int64_t* index, const T* x, std::int64_t rows, std::int64_t cols) {
  const std::int64_t row = std::int64_t{blockIdx.x} * (blockDim.x / kWarp) + threadIdx.x / kWarp;
  if (row >= rows) return;
  const auto best = largest_of_row(x + row * cols, cols);
  if (threadIdx.x % kWarp == 0) index[row] = best.index;
}

// A block a segment.
template <class T>
__global__ void sum_segment(T* y, const T* x, const std::int32_t* offsets) {
  compute_t<T> sum = 0;
  const std::int64_t end = offsets[blockIdx.x + 1];
  for (std::int64_t i = offsets[blockIdx.x] + threadIdx.x; i < end; i += blockDim.x)
    sum += static_cast<compute_t<T>>(x[i]);
  sum = block_reduce(sum, Sum{});
  if (threadIdx.x == 0) y[blockIdx.x] = static_cast<T>(sum);
}

// A block a segment, and one for the rows that belong to none: zeros.
template <class T>
__global__ void fill_segment(T* y, const T* x, const std::int32_t* offsets, std::int64_t segments, std::int64_t n) {
  const bool real = blockIdx.x < segments;
  const std::int64_t end = real ? offsets[blockIdx.x + 1] : n;
  const T value = real ? x[blockIdx.x] : T();
  for (std::int64_t i = offsets[blockIdx.x] + threadIdx.x; i < end; i += blockDim.x) y[i] = value;
}

}  // namespace

void sum_rows(Tensor& y, const Tensor& x) {
  const std::int64_t rows = y.numel(), cols = x.shape().back();
  if (rows == 0) return;
  dispatch_arithmetic(x.dtype(), "sum", [&]<class T>() {
    using C = compute_t<T>;
    const std::int64_t chunks = blocks(cols, kColumnChunk);
    if (chunks == 1) return launch_row_sums(y.data<T>(), x.data<T>(), rows, cols, kColumnChunk);
    const Tensor partial = empty({rows, chunks}, dtype_of<C>, Device::kCuda);
    launch_row_sums(partial.data<C>(), x.data<T>(), rows, cols, kColumnChunk);
    launch_row_sums(y.data<T>(), partial.data<C>(), rows, chunks, chunks);
  });
}

void max_rows(Tensor& y, const Tensor& x) {
  if (y.numel() == 0) return;
  dispatch_arithmetic(x.dtype(), "max", [&]<class T>() {
    const std::int64_t cols = x.shape().back();
    max_of_row<<<blocks(y.numel(), 1), row_threads(cols), 0, stream()>>>(y.data<T>(), x.data<T>(), cols);
    check_launch("max_rows");
  });
}

void argmax_rows(Tensor& index, const Tensor& x) {
  const std::int64_t rows = index.numel();
  if (rows == 0) return;
  dispatch_arithmetic(x.dtype(), "argmax", [&]<class T>() {
    argmax_of_row<<<blocks(rows, kThreads / kWarp), kThreads, 0, stream()>>>(index.data<std::int64_t>(), x.data<T>(),
                                                                             rows, x.shape().back());
    check_launch("argmax_rows");
  });
}

void sum_columns(Tensor& y, const Tensor& x, bool add) {
  const std::int64_t cols = y.numel();
  if (cols == 0) return;
  const std::int64_t rows = x.numel() / cols;
  const std::int64_t chunk = std::max<std::int64_t>(kRowChunk, blocks(rows, kMostRowChunks));
  const std::int64_t chunks = blocks(rows, chunk);
  dispatch_arithmetic(x.dtype(), "sum", [&]<class T>() {
    using C = compute_t<T>;
    const auto finish = [&]<class From>(const From* from, std::int64_t n) {
      const auto sum = [&]<class Y>(Y* to) {
        sum_chunks(SumOutputs<Y>{{to}, {add}}, 1, from, n, cols, std::max<std::int64_t>(1, n));
      };
      y.dtype() == x.dtype() ? sum(y.data<T>()) : sum(y.data<C>());
    };
    if (chunks == 1) return finish(x.data<T>(), rows);
    const Tensor partial = empty({chunks, cols}, dtype_of<C>, Device::kCuda);
    sum_chunks(SumOutputs<C>{{partial.data<C>()}, {}}, 1, x.data<T>(), rows, cols, chunk);
    finish(static_cast<const C*>(partial.data<C>()), chunks);
  });
}

void segment_sum(Tensor& y, const Tensor& x, const Tensor& offsets) {
  if (y.numel() == 0) return;
  dispatch_arithmetic(x.dtype(), "segment_sum", [&]<class T>() {
    sum_segment<<<blocks(y.numel(), 1), kThreads, 0, stream()>>>(y.data<T>(), x.data<T>(),
                                                                 offsets.data<std::int32_t>());
    check_launch("segment_sum");
  });
}

void segment_broadcast(Tensor& y, const Tensor& x, const Tensor& offsets) {
  if (y.numel() == 0) return;
  dispatch_arithmetic(x.dtype(), "segment_broadcast", [&]<class T>() {
    fill_segment<<<blocks(x.numel() + 1, 1), kThreads, 0, stream()>>>(
        y.data<T>(), x.data<T>(), offsets.data<std::int32_t>(), x.numel(), y.numel());
    check_launch("segment_broadcast");
  });
}

}  // namespace tk::cuda
