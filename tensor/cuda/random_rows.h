#pragma once

#include "tensor/cuda/launch.h"
#include "tensor/kernel_arguments.h"
#include "tensor/step_state.h"

namespace tk::cuda {

/// A row's numbers, for dropout.
struct RandomRow {
  PhiloxRow numbers;        // unset without dropout
  std::uint32_t threshold;  // a word below it is dropped: floor(p 2^32)
  float keep_scale;         // 1 / (1 - p)

  /// Bit k: whether column col + k of N is kept, col a multiple of 4.
  template <int N>
  __device__ std::uint32_t kept(std::int64_t col) const {
    static_assert(N % 4 == 0 && N <= 32);
    if (threshold == 0) return ~0u;
    std::uint32_t bits = 0;
#pragma unroll
    for (int b = 0; b < N / 4; ++b) {
      const Philox four = numbers.words(static_cast<std::uint32_t>(col / 4 + b));
      for (int j = 0; j < 4; ++j) bits |= std::uint32_t{four.word[j] >= threshold} << (4 * b + j);
    }
    return bits;
  }

  /// factor[k] = 0 or 1 / (1 - p) for column col + k; 1 without dropout.
  template <class T, int N>
  __device__ void keep_factors(T (&factor)[N], std::int64_t col) const {
    const std::uint32_t bits = kept<N>(col);
#pragma unroll
    for (int k = 0; k < N; ++k) factor[k] = (bits >> k & 1u) != 0 ? static_cast<T>(keep_scale) : T(0);
  }
};

/// A DropoutKey as a kernel takes it; seed and step are read on the device.
struct RandomRows {
  const StepState* state = nullptr;
  std::uint32_t stream = 0;
  const std::int32_t* example = nullptr;
  const std::int32_t* position = nullptr;
  std::uint32_t threshold = 0;
  float keep_scale = 1;

  explicit RandomRows(const DropoutKey& key) {
    if (!key.state.defined()) return;
    state = static_cast<const StepState*>(key.state.raw_data());
    stream = key.stream.word();
    example = key.example.data<std::int32_t>();
    position = key.position.data<std::int32_t>();
    threshold = key.threshold();
    keep_scale = key.keep_scale();
  }

  /// The stream of a row.
  __device__ PhiloxRow numbers(std::int64_t row) const {
    return PhiloxRow(state->seed, static_cast<std::uint32_t>(state->step), static_cast<std::uint32_t>(example[row]),
                     stream | static_cast<std::uint32_t>(position[row]));
  }

  /// The four numbers of columns [4 block, 4 block + 4) of a row.
  __device__ Philox words(std::int64_t row, std::int64_t block) const {
    return numbers(row).words(static_cast<std::uint32_t>(block));
  }

  /// Reads nothing without dropout.
  __device__ RandomRow row(std::int64_t row) const {
    return {threshold == 0 ? PhiloxRow() : numbers(row), threshold, keep_scale};
  }
};

}  // namespace tk::cuda
