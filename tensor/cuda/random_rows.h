#pragma once

#include "tensor/cuda/launch.h"
#include "tensor/kernels.h"
#include "tensor/step_state.h"

namespace tk::cuda {

/// A DropoutKey as a kernel takes it; seed and step are read on the device.
struct RandomRows {
  const StepState* state = nullptr;
  std::uint32_t stream = 0;
  const std::int32_t* example = nullptr;
  const std::int32_t* position = nullptr;
  std::uint32_t threshold = 0;  // a word below it is dropped: floor(p 2^32)
  float keep_scale = 1;         // 1 / (1 - p)

  explicit RandomRows(const DropoutKey& key) {
    if (!key.state.defined()) return;
    state = static_cast<const StepState*>(key.state.raw_data());
    stream = key.stream.word();
    example = key.example.data<std::int32_t>();
    position = key.position.data<std::int32_t>();
    threshold = static_cast<std::uint32_t>(key.p * 4294967296.0);
    keep_scale = static_cast<float>(1.0 / (1.0 - key.p));
  }

  /// The four numbers of columns [4 block, 4 block + 4) of a row.
  __device__ Philox words(std::int64_t row, std::int64_t block) const {
    return philox(state->seed, static_cast<std::uint32_t>(state->step), static_cast<std::uint32_t>(example[row]),
                  stream | static_cast<std::uint32_t>(position[row]), static_cast<std::uint32_t>(block));
  }

  /// factor[k] = 0 or 1 / (1 - p) for column col + k of a row, col a multiple of 4; 1 without dropout.
  template <class T, int N>
  __device__ void keep_factors(T (&factor)[N], std::int64_t row, std::int64_t col) const {
    static_assert(N % 4 == 0);
    if (threshold == 0) {
      for (int k = 0; k < N; ++k) factor[k] = T(1);
      return;
    }
#pragma unroll
    for (int b = 0; b < N / 4; ++b) {
      const Philox random = words(row, col / 4 + b);
      for (int j = 0; j < 4; ++j) factor[4 * b + j] = random.word[j] < threshold ? T(0) : static_cast<T>(keep_scale);
    }
  }
};

}  // namespace tk::cuda
