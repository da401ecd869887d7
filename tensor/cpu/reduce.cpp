#include <numeric>

#include "tensor/cpu/column_sums.h"
#include "tensor/cpu/parallel.h"
#include "tensor/cpu/simd.h"
#include "tensor/kernels.h"

namespace tk::cpu {
namespace {

// Rows longer than this are summed in chunks of it, then over the chunks: the tree depends on the length alone.
constexpr std::int64_t kSumChunk = 4096;

template <class T>
TK_SIMD T sum_chunk(const T* x, std::int64_t n) {
  T sum = 0;
#pragma omp simd reduction(+ : sum)
  for (std::int64_t i = 0; i < n; ++i) sum += x[i];
  return sum;
}

// sums[c] += x[row, c], row by row; sums of 8 columns at once stay in registers.
template <class T>
TK_SIMD void add_rows(T* sums, const T* x, std::int64_t rows, std::int64_t cols) {
  constexpr std::int64_t kAtOnce = 8;
  const std::int64_t blocked = cols / kAtOnce * kAtOnce;
  for (std::int64_t c = 0; c < blocked; c += kAtOnce) {
    T some[kAtOnce];
    for (std::int64_t k = 0; k < kAtOnce; ++k) some[k] = sums[c + k];
    for (std::int64_t row = 0; row < rows; ++row) {
      for (std::int64_t k = 0; k < kAtOnce; ++k) some[k] += x[row * cols + c + k];
    }
    for (std::int64_t k = 0; k < kAtOnce; ++k) sums[c + k] = some[k];
  }
  for (std::int64_t c = blocked; c < cols; ++c) {
    for (std::int64_t row = 0; row < rows; ++row) sums[c] += x[row * cols + c];
  }
}

template <class T>
T sum_row(const T* x, std::int64_t n) {
  if (n <= kSumChunk) return sum_chunk(x, n);
  const std::int64_t half = (n / 2 + kSumChunk - 1) / kSumChunk * kSumChunk;
  return sum_row(x, half) + sum_row(x + half, n - half);
}

}  // namespace

void sum_rows(Tensor& y, const Tensor& x) {
  dispatch_floating(x.dtype(), "sum", [&]<class T>() {
    const std::int64_t cols = x.shape().back();
    parallel_rows(y.numel(), cols,
                  [&](std::int64_t row) { y.data<T>()[row] = sum_row(x.data<T>() + row * cols, cols); });
  });
}

void max_rows(Tensor& y, const Tensor& x) {
  dispatch_floating(x.dtype(), "max", [&]<class T>() {
    const std::int64_t cols = x.shape().back();
    parallel_rows(y.numel(), cols, [&](std::int64_t row) {
      const T* from = x.data<T>() + row * cols;
      y.data<T>()[row] = std::accumulate(from + 1, from + cols, from[0], Maximum::forward<T>);
    });
  });
}

void argmax_rows(Tensor& index, const Tensor& x) {
  dispatch_floating(x.dtype(), "argmax", [&]<class T>() {
    const std::int64_t cols = x.shape().back();
    parallel_rows(index.numel(), cols, [&](std::int64_t row) {
      const T* from = x.data<T>() + row * cols;
      std::int64_t best = 0;
      for (std::int64_t i = 1; i < cols; ++i) {
        if (!Maximum::takes_first(from[best], from[i])) best = i;
      }
      index.data<std::int64_t>()[row] = best;
    });
  });
}

void sum_columns(Tensor& y, const Tensor& x, bool add) {
  dispatch_floating(x.dtype(), "sum", [&]<class T>() {
    const std::int64_t cols = x.shape().back();
    const std::int64_t rows = cols == 0 ? 0 : x.numel() / cols;
    const T* from = x.data<T>();
    column_sums_of_blocks<T, 1>(rows, cols, {SumTarget{y, add}},
                                [&](std::int64_t begin, std::int64_t end, std::array<T*, 1> sums) {
                                  add_rows(sums[0], from + begin * cols, end - begin, cols);
                                });
  });
}

void segment_sum(Tensor& y, const Tensor& x, const Tensor& offsets) {
  dispatch_floating(x.dtype(), "segment_sum", [&]<class T>() {
    const auto* bounds = offsets.data<std::int32_t>();
    for (std::int64_t s = 0; s < y.numel(); ++s) {
      y.data<T>()[s] = sum_row(x.data<T>() + bounds[s], bounds[s + 1] - bounds[s]);
    }
  });
}

void segment_broadcast(Tensor& y, const Tensor& x, const Tensor& offsets) {
  dispatch_floating(x.dtype(), "segment_broadcast", [&]<class T>() {
    const auto* bounds = offsets.data<std::int32_t>();
    for (std::int64_t s = 0; s < x.numel(); ++s) {
      std::fill(y.data<T>() + bounds[s], y.data<T>() + bounds[s + 1], x.data<T>()[s]);
    }
  });
}

}  // namespace tk::cpu
