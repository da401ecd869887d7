#pragma once

#include "tensor/cuda/pack.h"
#include "tensor/cuda/random_rows.h"
#include "tensor/gate_math.h"

namespace tk::cuda {

/// The gates of a row that a thread makes: `count` of them from element `at` on, the row's columns from `col`. A unit
/// is a multiple of four, so that it takes whole Philox blocks.
struct GateUnit {
  std::int64_t row, col, at, count;

  __device__ GateUnit(std::int64_t cols, int most) {
    const std::int64_t units = (cols + most - 1) / most;
    const std::int64_t i = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
    row = units == 1 ? i : i / units;
    col = (i - row * units) * most;
    at = row * cols + col;
    count = cols - col < most ? cols - col : most;
  }

  /// Logistic noise as a tensor of T would hold it; zeros behind the row's end.
  template <class T, int N>
  __device__ void draw(compute_t<T> (&noise)[N], const RandomRows& random) const {
    static_assert(N % 4 == 0);
#pragma unroll
    for (int b = 0; b < N / 4; ++b) {
      if (4 * b >= count) break;
      const Philox words = random.words(row, col / 4 + b);
#pragma unroll
      for (int j = 0; j < 4; ++j) {
        noise[4 * b + j] =
            4 * b + j < count ? static_cast<compute_t<T>>(static_cast<T>(math::Logistic()(open_uniform(words.word[j]))))
                              : compute_t<T>(0);
      }
    }
  }
};

}  // namespace tk::cuda
