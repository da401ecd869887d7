#pragma once

#include <array>

#include "tensor/cpu/parallel.h"
#include "tensor/cpu/simd.h"
#include "tensor/kernels.h"

namespace tk::cpu {

template <class T>
TK_SIMD void add_to_row(T* sums, const T* x, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) sums[i] += x[i];
}

/// N sums over rows at once, with a tree fixed by the shape: blocks of 32 rows in parallel, then the blocks in order.
/// per_block(begin, end, sums) adds the contribution of rows [begin, end) to each sums[k][cols].
template <class T, std::size_t N, class F>
void column_sums_of_blocks(std::int64_t rows, std::int64_t cols, const std::array<SumTarget, N>& out, F&& per_block) {
  constexpr std::int64_t kBlock = 32;
  const std::int64_t blocks = (rows + kBlock - 1) / kBlock;
  const std::int64_t width = static_cast<std::int64_t>(N) * cols;
  Scratch<T> partial(blocks * width);
  parallel_chunks(rows, kBlock, rows * width, [&](std::int64_t begin, std::int64_t end) {
    T* base = partial.data() + begin / kBlock * width;
    std::fill(base, base + width, T(0));
    std::array<T*, N> sums;
    for (std::size_t k = 0; k < N; ++k) sums[k] = base + static_cast<std::int64_t>(k) * cols;
    per_block(begin, end, sums);
  });
  for (std::size_t k = 0; k < N; ++k) {
    if (!out[k]) continue;
    T* const y = out[k].out.template data<T>();
    if (!out[k].add) std::fill(y, y + cols, T(0));
    for (std::int64_t b = 0; b < blocks; ++b) {
      add_to_row(y, partial.data() + b * width + static_cast<std::int64_t>(k) * cols, cols);
    }
  }
}

/// The same, row by row: per_row(row, sums).
template <class T, std::size_t N, class F>
void column_sums(std::int64_t rows, std::int64_t cols, const std::array<SumTarget, N>& out, F&& per_row) {
  column_sums_of_blocks<T, N>(rows, cols, out,
                              [&](std::int64_t begin, std::int64_t end, const std::array<T*, N>& sums) {
                                for (std::int64_t row = begin; row < end; ++row) per_row(row, sums);
                              });
}

inline void sum_columns_if_wanted(const SumTarget& sum, const Tensor& x) {
  if (!sum) return;
  Tensor y = sum.out;
  sum_columns(y, x, sum.add);
}

}  // namespace tk::cpu
