#include "tensor/cpu/parallel.h"
#include "tensor/cpu/random_rows.h"
#include "tensor/evenly_spread.h"
#include "tensor/gate_math.h"
#include "tensor/kernels.h"

namespace tk::cpu {

namespace {

// y [rows, cols]: transform(u) of the open uniforms of each row's stream.
template <class F>
void transform_uniforms(const char* op, Tensor& y, const DropoutKey& key, F&& transform) {
  const RandomRows random(key);
  const std::int64_t cols = y.shape()[1];
  ThreadScratch<std::uint32_t> scratch(cols + 3);
  dispatch_floating(y.dtype(), op, [&]<class T>() {
    parallel_chunks(y.shape()[0], 64, [&](std::int64_t begin, std::int64_t end) {
      std::uint32_t* words = scratch.mine();
      for (std::int64_t row = begin; row < end; ++row) {
        random.words(words, row, (cols + 3) / 4);
        for (std::int64_t i = 0; i < cols; ++i) {
          y.data<T>()[row * cols + i] = static_cast<T>(transform(open_uniform(words[i])));
        }
      }
    });
  });
}

}  // namespace

void logistic_noise(Tensor& y, const DropoutKey& key) {
  transform_uniforms("logistic_noise", y, key, math::Logistic());
}

void gumbel_noise(Tensor& y, const DropoutKey& key) { transform_uniforms("gumbel_noise", y, key, math::Gumbel()); }

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

void hard_gate(Tensor& hard, Tensor& soft, const Tensor& z, const Tensor& noise, const Tensor& state) {
  TK_CHECK(step_state(state).temperature > 0, "hard_gate: expected a temperature above 0, got ",
           step_state(state).temperature);
  dispatch_floating(z.dtype(), "hard_gate", [&]<class T>() {
    const T temperature = static_cast<T>(step_state(state).temperature);
    const T scale = static_cast<T>(step_state(state).gate_noise);
    parallel_rows(z.numel(), 64, [&](std::int64_t i) {
      const math::Gate<T> gate = math::hard_gate(z.data<T>()[i], noise.data<T>()[i], scale, temperature);
      soft.data<T>()[i] = gate.soft;
      hard.data<T>()[i] = gate.hard;
    });
  });
}

void hard_gate_backward(Tensor& dz, const Tensor& dy, const Tensor& soft, const Tensor& state) {
  dispatch_floating(dz.dtype(), "hard_gate", [&]<class T>() {
    const T temperature = static_cast<T>(step_state(state).temperature);
    parallel_rows(dz.numel(), 64, [&](std::int64_t i) {
      dz.data<T>()[i] = math::hard_gate_backward(dy.data<T>()[i], soft.data<T>()[i], temperature);
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
