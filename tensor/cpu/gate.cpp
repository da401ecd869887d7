#include "tensor/cpu/parallel.h"
#include "tensor/cpu/random_rows.h"
#include "tensor/cpu/simd.h"
#include "tensor/evenly_spread.h"
#include "tensor/gate_math.h"
#include "tensor/kernels.h"

namespace tk::cpu {

namespace {

// Of four random numbers, in elements.
constexpr std::int64_t kUniformCost = 8, kLogarithmsCost = 64;

// y [rows, cols]: transform(u) of the open uniforms of each row's stream, many of their Philox blocks at once.
template <class F>
void transform_uniforms(const char* op, Tensor& y, const DropoutKey& key, std::int64_t cost, F&& transform) {
  const RandomRows random(key);
  const std::int64_t rows = y.shape()[0], cols = y.shape()[1], groups = (cols + 3) / 4;
  ThreadScratch<std::byte> scratch(sizeof(RowBlocks));
  dispatch_floating(y.dtype(), op, [&]<class T>() {
    parallel_chunks(rows * groups, RowBlocks::kMost, rows * groups * cost, [&](std::int64_t begin, std::int64_t end) {
      RowBlocks& blocks = *reinterpret_cast<RowBlocks*>(scratch.mine());
      const std::int64_t first = begin / groups, n = end - begin;
      for (std::int64_t i = 0, row = first, group = begin - first * groups; i < n; ++i) {
        blocks.example[i] = static_cast<std::uint32_t>(random.example[row]);
        blocks.word[i] = random.stream | static_cast<std::uint32_t>(random.position[row]);
        blocks.block[i] = static_cast<std::uint32_t>(group);
        if (++group == groups) ++row, group = 0;
      }
      blocks.draw(random.seed, random.step, 0, n);
      for (std::int64_t i = 0, row = first; i < n; ++i) {
        const std::int64_t col = 4 * std::int64_t{blocks.block[i]};
        T* const to = y.data<T>() + row * cols + col;
        const auto put = [&](std::int64_t c) { to[c] = static_cast<T>(transform(open_uniform(blocks.words[c][i]))); };
        if (col + 4 <= cols) {
          for (std::int64_t c = 0; c < 4; ++c) put(c);
        } else {
          for (std::int64_t c = 0; c < cols - col; ++c) put(c);
        }
        row += col + 4 >= cols;
      }
    });
  });
}

constexpr std::int64_t kGrain = 256;  // gates of a chunk

template <class T>
TK_SIMD void hard_gate_chunk(T* hard, T* soft, const T* z, const T* noise, T scale, T inverse_temperature,
                             std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) {
    const math::Gate<T> gate = math::hard_gate(z[i], noise[i], scale, inverse_temperature);
    soft[i] = gate.soft;
    hard[i] = gate.hard;
  }
}

template <class T>
TK_SIMD void hard_gate_backward_chunk(T* dz, const T* dy, const T* soft, T inverse_temperature, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) dz[i] = math::hard_gate_backward(dy[i], soft[i], inverse_temperature);
}

}  // namespace

void uniform_noise(Tensor& y, const DropoutKey& key) {
  transform_uniforms("uniform_noise", y, key, kUniformCost, math::Uniform());
}

void logistic_noise(Tensor& y, const DropoutKey& key) {
  transform_uniforms("logistic_noise", y, key, kLogarithmsCost, math::Logistic());
}

void gumbel_noise(Tensor& y, const DropoutKey& key) {
  transform_uniforms("gumbel_noise", y, key, kLogarithmsCost, math::Gumbel());
}

void one_hot_of_largest(Tensor& y, const Tensor& x) {
  const std::int64_t classes = x.shape().back();
  fill(y, 0);
  dispatch_floating(x.dtype(), "one_hot_of_largest", [&]<class T>() {
    for (std::int64_t at = 0; at < x.numel(); at += classes) {
      const T* row = x.data<T>() + at;
      std::int64_t largest = 0;
      for (std::int64_t i = 1; i < classes; ++i) {
        if (!Maximum::takes_first(row[largest], row[i])) largest = i;
      }
      y.data<T>()[at + largest] = row[largest] == row[largest] ? T(1) : row[largest];
    }
  });
}

void gate_margin(Tensor& y, const Tensor& z, const Tensor& state) {
  dispatch_floating(z.dtype(), "gate_margin", [&]<class T>() {
    const T threshold = static_cast<T>(step_state(state).skim_threshold);
    for (std::int64_t i = 0; i < z.numel(); ++i) y.data<T>()[i] = z.data<T>()[i] - threshold;
  });
}

Tensor noise_of_gates(const Tensor& z, const Tensor& noise, const DropoutKey& drawn) {
  if (noise.defined() || z.numel() == 0) return noise.defined() ? noise : z;
  const std::int64_t rows = drawn.example.numel();
  Tensor y = empty({rows, z.numel() / rows}, z.dtype());
  logistic_noise(y, drawn);
  return y;
}

void hard_gate(Tensor& hard, Tensor& soft, const Tensor& z, const Tensor& given, const Tensor& state,
               const DropoutKey& drawn) {
  TK_CHECK(step_state(state).temperature > 0, "hard_gate: expected a temperature above 0, got ",
           step_state(state).temperature);
  const Tensor noise = noise_of_gates(z, given, drawn);
  dispatch_floating(z.dtype(), "hard_gate", [&]<class T>() {
    const T inverse_temperature = T(1) / static_cast<T>(step_state(state).temperature);
    const T scale = static_cast<T>(step_state(state).gate_noise);
    parallel_chunks(z.numel(), kGrain, [&](std::int64_t begin, std::int64_t end) {
      hard_gate_chunk(hard.data<T>() + begin, soft.data<T>() + begin, z.data<T>() + begin, noise.data<T>() + begin,
                      scale, inverse_temperature, end - begin);
    });
  });
}

void hard_gate_backward(Tensor& dz, const Tensor& dy, const Tensor& soft, const Tensor& state) {
  dispatch_floating(dz.dtype(), "hard_gate", [&]<class T>() {
    const T inverse_temperature = T(1) / static_cast<T>(step_state(state).temperature);
    parallel_chunks(dz.numel(), kGrain, [&](std::int64_t begin, std::int64_t end) {
      hard_gate_backward_chunk(dz.data<T>() + begin, dy.data<T>() + begin, soft.data<T>() + begin, inverse_temperature,
                               end - begin);
    });
  });
}

// z > the state's skim_threshold
void passing_rows(Tensor& mask, const Tensor& z, const Tensor& state, const Tensor& offsets, bool first_pass) {
  fill(mask, 0);
  const auto* bounds = offsets.data<std::int32_t>();
  dispatch_floating(z.dtype(), "passing_rows", [&]<class T>() {
    const T threshold = static_cast<T>(step_state(state).skim_threshold);
    for (std::int64_t s = 0; s + 1 < offsets.numel(); ++s) {
      for (std::int32_t row = bounds[s]; row < bounds[s + 1]; ++row) {
        mask.data<bool>()[row] = (first_pass && row == bounds[s]) || z.data<T>()[row * z.strides()[0]] > threshold;
      }
    }
  });
}

void evenly_spread_rows(Tensor& mask, const Tensor& offsets, const Tensor& original_offsets, double share) {
  fill(mask, 0);
  const auto* bounds = offsets.data<std::int32_t>();
  const auto* original = original_offsets.data<std::int32_t>();
  for (std::int64_t s = 0; s + 1 < offsets.numel(); ++s) {
    const std::int64_t n = bounds[s + 1] - bounds[s];
    const std::int64_t kept = rows_of_share(share, original[s + 1] - original[s], n);
    for (std::int64_t i = 0; i < n; ++i) mask.data<bool>()[bounds[s] + i] = is_evenly_spread(i, n, kept);
  }
}

}  // namespace tk::cpu
