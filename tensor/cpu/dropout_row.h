#pragma once

#include "tensor/cpu/parallel.h"
#include "tensor/cpu/random_rows.h"
#include "tensor/cpu/simd.h"

namespace tk::cpu {

// factor[i] = 0 or 1 / (1 - p)
template <class T>
TK_SIMD void keep_factors_row(T* factor, const std::uint32_t* words, std::uint32_t threshold, T keep_scale,
                              std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) factor[i] = words[i] < threshold ? T(0) : keep_scale;
}

/// The keep factors of rows of `cols` features, for the threads of a loop.
template <class T>
class DropoutRow {
 public:
  DropoutRow(const DropoutKey& key, std::int64_t cols)
      : random_(key),
        blocks_(key.p > 0 ? (cols + 3) / 4 : 0),
        cols_(cols),
        words_(4 * blocks_),
        factors_(4 * blocks_) {}

  /// A row's factors, in the calling thread's memory; null without dropout.
  const T* factors(std::int64_t row) {
    if (blocks_ == 0) return nullptr;
    random_.words(words_.mine(), row, blocks_);
    keep_factors_row(factors_.mine(), words_.mine(), random_.threshold, static_cast<T>(random_.keep_scale), cols_);
    return factors_.mine();
  }

 private:
  RandomRows random_;
  std::int64_t blocks_;  // of four numbers a row
  std::int64_t cols_;
  ThreadScratch<std::uint32_t> words_;
  ThreadScratch<T> factors_;
};

}  // namespace tk::cpu
