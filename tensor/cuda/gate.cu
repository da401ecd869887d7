#include "tensor/cuda/block_reduce.h"
#include "tensor/cuda/gate_unit.h"
#include "tensor/cuda/largest.h"
#include "tensor/cuda/random_rows.h"
#include "tensor/evenly_spread.h"
#include "tensor/gate_math.h"
#include "tensor/kernels.h"

namespace tk::cuda {
namespace {

// y [rows, cols]: transform(u) of the open uniforms of each row's stream; a thread the four columns of a Philox block.
template <class F, class T>
__global__ void noise_of_rows(T* y, RandomRows random, std::int64_t rows, std::int64_t cols, F transform) {
  const std::int64_t groups = (cols + 3) / 4;
  const std::int64_t i = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (i >= rows * groups) return;
  const std::int64_t row = i / groups, group = i - row * groups;
  const Philox words = random.words(row, group);
#pragma unroll
  for (int j = 0; j < 4; ++j) {
    if (const std::int64_t col = 4 * group + j; col < cols) {
      y[row * cols + col] = static_cast<T>(transform(open_uniform(words.word[j])));
    }
  }
}

template <class F>
void transform_uniforms(const char* op, Tensor& y, const DropoutKey& key, F transform) {
  if (y.numel() == 0) return;
  dispatch_arithmetic(y.dtype(), op, [&]<class T>() {
    const std::int64_t rows = y.shape()[0], cols = y.shape()[1];
    noise_of_rows<<<blocks(rows * blocks(cols, 4), kThreads), kThreads, 0, stream()>>>(y.data<T>(), RandomRows(key),
                                                                                       rows, cols, transform);
    check_launch(op);
  });
}

// A warp a row.
template <class T>
__global__ void mark_largest(T* y, const T* x, std::int64_t rows, std::int64_t classes) {
  using C = compute_t<T>;
  const std::int64_t row = std::int64_t{blockIdx.x} * (blockDim.x / kWarp) + threadIdx.x / kWarp;
  if (row >= rows) return;
  const Candidate<C> best = largest_of_row(x + row * classes, classes);
  const C mark = best.value == best.value ? C(1) : best.value;
  for (std::int64_t i = threadIdx.x % kWarp; i < classes; i += kWarp) {
    y[row * classes + i] = static_cast<T>(i == best.index ? mark : C(0));
  }
}

template <class C>
__device__ C inverse_temperature(const StepState* state) {
  return math::reciprocal(static_cast<C>(state->temperature));
}

// A thread an element.
template <class T>
__global__ void gate_elements(T* hard, T* soft, const T* z, const T* noise, const StepState* state, std::int64_t n) {
  using C = compute_t<T>;
  const std::int64_t i = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (i >= n) return;
  const math::Gate<C> gate = math::hard_gate(static_cast<C>(z[i]), static_cast<C>(noise[i]),
                                             static_cast<C>(state->gate_noise), inverse_temperature<C>(state));
  soft[i] = static_cast<T>(gate.soft);
  hard[i] = static_cast<T>(gate.hard);
}

// The same with noise of each row's stream: a thread a unit of a row, which takes whole Philox blocks.
template <class T>
__global__ void drawn_gate_elements(T* hard, T* soft, const T* z, const StepState* state, RandomRows random,
                                    std::int64_t rows, std::int64_t cols, bool wide) {
  using C = compute_t<T>;
  constexpr int N = kUnit<T>;
  const GateUnit unit(cols, N);
  if (unit.row >= rows) return;
  const Pack<T, N> scores = load<N>(z + unit.at, unit.count, wide);
  const C factor = static_cast<C>(state->gate_noise), inverse = inverse_temperature<C>(state);
  C noise[N], h[N], s[N];
  unit.draw<T>(noise, random);
#pragma unroll
  for (int k = 0; k < N; ++k) {
    if (k >= unit.count) break;
    const math::Gate<C> gate = math::hard_gate(scores[k], noise[k], factor, inverse);
    h[k] = gate.hard;
    s[k] = gate.soft;
  }
  store(soft + unit.at, s, unit.count, wide);
  store(hard + unit.at, h, unit.count, wide);
}

template <class T>
__global__ void margin_elements(T* y, const T* z, const StepState* state, std::int64_t n) {
  using C = compute_t<T>;
  const std::int64_t i = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (i < n) y[i] = static_cast<T>(static_cast<C>(z[i]) - static_cast<C>(state->skim_threshold));
}

// A thread a unit.
template <class T>
__global__ void gate_backward_units(T* dz, const T* dy, const T* soft, const StepState* state, std::int64_t n,
                                    bool wide) {
  using C = compute_t<T>;
  constexpr int N = kUnit<T>;
  const std::int64_t at = (std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x) * N;
  if (at >= n) return;
  const Pack<T, N> from = load<N>(dy + at, n - at, wide), gate = load<N>(soft + at, n - at, wide);
  const C inverse = inverse_temperature<C>(state);
  C result[N];
#pragma unroll
  for (int k = 0; k < N; ++k) result[k] = math::hard_gate_backward(from[k], gate[k], inverse);
  store(dz + at, result, n - at, wide);
}

// The sentence of a row, or -1 for a row behind the last one. A thread looks for itself.
__device__ std::int64_t sentence_of(std::int64_t row, const std::int32_t* offsets, std::int64_t sentences) {
  if (row >= offsets[sentences]) return -1;
  std::int64_t low = 0, high = sentences;  // offsets[low] <= row < offsets[high]
  while (high - low > 1) {
    const std::int64_t middle = (low + high) / 2;
    offsets[middle] <= row ? low = middle : high = middle;
  }
  return low;
}

// A thread a row.
template <class T>
__global__ void mark_passing(bool* mask, const T* z, std::int64_t stride, std::int64_t rows, const StepState* state,
                             const std::int32_t* offsets, std::int64_t sentences, bool first_pass) {
  const std::int64_t row = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (row >= rows) return;
  const std::int64_t s = sentence_of(row, offsets, sentences);
  mask[row] = s >= 0 && ((first_pass && offsets[s] == row) ||
                         static_cast<compute_t<T>>(z[row * stride]) > static_cast<compute_t<T>>(state->skim_threshold));
}

__global__ void mark_evenly_spread(bool* mask, std::int64_t rows, const std::int32_t* offsets,
                                   const std::int32_t* original, std::int64_t sentences, double share) {
  const std::int64_t row = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (row >= rows) return;
  const std::int64_t s = sentence_of(row, offsets, sentences);
  if (s < 0) {
    mask[row] = false;
    return;
  }
  const std::int64_t n = offsets[s + 1] - offsets[s];
  mask[row] = is_evenly_spread(row - offsets[s], n, rows_of_share(share, original[s + 1] - original[s], n));
}

}  // namespace

void uniform_noise(Tensor& y, const DropoutKey& key) { transform_uniforms("uniform_noise", y, key, math::Uniform()); }

void logistic_noise(Tensor& y, const DropoutKey& key) {
  transform_uniforms("logistic_noise", y, key, math::Logistic());
}

void gumbel_noise(Tensor& y, const DropoutKey& key) { transform_uniforms("gumbel_noise", y, key, math::Gumbel()); }

void one_hot_of_largest(Tensor& y, const Tensor& x) {
  if (y.numel() == 0) return;
  dispatch_arithmetic(x.dtype(), "one_hot_of_largest", [&]<class T>() {
    const std::int64_t classes = x.shape().back(), rows = x.numel() / classes;
    mark_largest<<<blocks(rows, kThreads / kWarp), kThreads, 0, stream()>>>(y.data<T>(), x.data<T>(), rows, classes);
    check_launch("one_hot_of_largest");
  });
}

void gate_margin(Tensor& y, const Tensor& z, const Tensor& state) {
  const std::int64_t n = z.numel();
  if (n == 0) return;
  dispatch_arithmetic(z.dtype(), "gate_margin", [&]<class T>() {
    margin_elements<<<blocks(n, kThreads), kThreads, 0, stream()>>>(
        y.data<T>(), z.data<T>(), static_cast<const StepState*>(state.raw_data()), n);
    check_launch("gate_margin");
  });
}

void hard_gate(Tensor& hard, Tensor& soft, const Tensor& z, const Tensor& noise, const Tensor& state,
               const DropoutKey& drawn) {
  const std::int64_t n = z.numel();
  if (n == 0) return;
  dispatch_arithmetic(z.dtype(), "hard_gate", [&]<class T>() {
    if (!noise.defined()) {
      const std::int64_t rows = drawn.example.numel(), cols = n / rows;
      drawn_gate_elements<<<blocks(rows * blocks(cols, kUnit<T>), kThreads), kThreads, 0, stream()>>>(
          hard.data<T>(), soft.data<T>(), z.data<T>(), static_cast<const StepState*>(state.raw_data()),
          RandomRows(drawn), rows, cols, wide_rows(cols, kUnit<T>, hard, soft, z));
      return check_launch("hard_gate");
    }
    gate_elements<<<blocks(n, kThreads), kThreads, 0, stream()>>>(hard.data<T>(), soft.data<T>(), z.data<T>(),
                                                                  noise.data<T>(),
                                                                  static_cast<const StepState*>(state.raw_data()), n);
    check_launch("hard_gate");
  });
}

void hard_gate_backward(Tensor& dz, const Tensor& dy, const Tensor& soft, const Tensor& state) {
  const std::int64_t n = dz.numel();
  if (n == 0) return;
  dispatch_arithmetic(dz.dtype(), "hard_gate", [&]<class T>() {
    gate_backward_units<<<blocks(blocks(n, kUnit<T>), kThreads), kThreads, 0, stream()>>>(
        dz.data<T>(), dy.data<T>(), soft.data<T>(), static_cast<const StepState*>(state.raw_data()), n,
        wide_rows(0, kUnit<T>, dz, dy, soft));
    check_launch("hard_gate_backward");
  });
}

// z > the state's skim_threshold
void passing_rows(Tensor& mask, const Tensor& z, const Tensor& state, const Tensor& offsets, bool first_pass) {
  const std::int64_t rows = mask.numel();
  if (rows == 0) return;
  dispatch_arithmetic(z.dtype(), "passing_rows", [&]<class T>() {
    mark_passing<<<blocks(rows, kThreads), kThreads, 0, stream()>>>(
        mask.data<bool>(), z.data<T>(), z.strides()[0], rows, static_cast<const StepState*>(state.raw_data()),
        offsets.data<std::int32_t>(), offsets.numel() - 1, first_pass);
    check_launch("passing_rows");
  });
}

void evenly_spread_rows(Tensor& mask, const Tensor& offsets, const Tensor& original_offsets, double share) {
  const std::int64_t rows = mask.numel();
  if (rows == 0) return;
  mark_evenly_spread<<<blocks(rows, kThreads), kThreads, 0, stream()>>>(
      mask.data<bool>(), rows, offsets.data<std::int32_t>(), original_offsets.data<std::int32_t>(), offsets.numel() - 1,
      share);
  check_launch("evenly_spread_rows");
}

}  // namespace tk::cuda
