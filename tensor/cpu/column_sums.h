#pragma once

#include <array>

#include "tensor/cpu/parallel.h"
#include "tensor/cpu/simd.h"

namespace tk::cpu {

template <class T>
TK_SIMD void add_to_row(T* sums, const T* x, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) sums[i] += x[i];
}

/// N sums over rows at once, with a tree fixed by the shape: blocks of 32 rows in parallel, then the blocks in order.
/// per_row(row, sums) adds a row's contribution to each sums[k][cols]; out[k] may be null (not wanted).
template <class T, std::size_t N, class F>
void column_sums(std::int64_t rows, std::int64_t cols, std::array<T*, N> out, bool add, F&& per_row) {
  constexpr std::int64_t kBlock = 32;
  const std::int64_t blocks = (rows + kBlock - 1) / kBlock;
  const std::int64_t width = static_cast<std::int64_t>(N) * cols;
  Scratch<T> partial(blocks * width);
  parallel_chunks(rows, kBlock, [&](std::int64_t begin, std::int64_t end) {
    T* base = partial.data() + begin / kBlock * width;
    std::fill(base, base + width, T(0));
    std::array<T*, N> sums;
    for (std::size_t k = 0; k < N; ++k) sums[k] = base + static_cast<std::int64_t>(k) * cols;
    for (std::int64_t row = begin; row < end; ++row) per_row(row, sums);
  });
  for (std::size_t k = 0; k < N; ++k) {
    if (out[k] == nullptr) continue;
    if (!add) std::fill(out[k], out[k] + cols, T(0));
    for (std::int64_t b = 0; b < blocks; ++b) {
      add_to_row(out[k], partial.data() + b * width + static_cast<std::int64_t>(k) * cols, cols);
    }
  }
}

}  // namespace tk::cpu
