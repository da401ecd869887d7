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

/// One thread's keep factors for rows of `cols` features.
template <class T>
class DropoutRow {
 public:
  DropoutRow(const RandomRows& random, std::int64_t cols)
      : random_(random), blocks_((cols + 3) / 4), cols_(cols), words_(4 * blocks_), factors_(4 * blocks_) {}

  const T* factors(std::int64_t row) {
    random_.words(words_.data(), row, blocks_);
    keep_factors_row(factors_.data(), words_.data(), random_.threshold, static_cast<T>(random_.keep_scale), cols_);
    return factors_.data();
  }

 private:
  const RandomRows& random_;
  std::int64_t blocks_;
  std::int64_t cols_;
  Scratch<std::uint32_t> words_;
  Scratch<T> factors_;
};

}  // namespace tk::cpu
