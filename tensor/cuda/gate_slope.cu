#include "tensor/cuda/approximate.h"
#include "tensor/cuda/gate_unit.h"
#include "tensor/gate_math.h"
#include "tensor/gate_slope_math.h"
#include "tensor/kernels.h"

namespace tk::cuda {
namespace {

// The mean of sigmoid_slope(margin) over samples that a gate draws. In float32 by single instructions of the device:
// good to 1e-5, where the choice of the samples is good to 1e-1. With M the margin, P the chance and v uniform,
//
//   e = exp(-M / t) = (b / a)^(s / t),    a = 1 - P v,    b = (1 - P) v,    slope = e / (1 + e)^2 / t,
//
// which is a b / (a + b)^2 / t where s = t, as at the start of training: one instruction that takes long in place of four.
template <class C>
struct Sampler {
  math::Margin<C> margin;
  math::GateNumbers<C> g;

  __device__ Sampler(C m, const math::GateNumbers<C>& g) : margin(math::Margin<C>::of(m, g.noise)), g(g) {}

  __device__ C operator()(C v) const { return math::sigmoid_slope(margin(v, g.noise), g.inverse_temperature); }
};
template <>
struct Sampler<float> {
  float chance, miss, scale, rest, inverse;
  bool plain;  // s = t

  __device__ Sampler(float m, const math::GateNumbers<float>& g)
      : chance(math::sigmoid(m / g.noise)),
        miss(math::sigmoid(-m / g.noise)),
        scale(g.noise * g.inverse_temperature),
        rest(1.442695041f * scale * math::softplus(m / g.noise)),
        inverse(g.inverse_temperature),
        plain(g.noise * g.inverse_temperature == 1) {}

  __device__ float operator()(float v) const {
    const float a = 1 - chance * v;
    if (plain) {
      const float b = miss * v, r = reciprocal_of(a + b);
      return (a * r) * (b * r) * inverse;
    }
    const float e = exp2_of(scale * log2_of(v * reciprocal_of(a)) - rest), s = reciprocal_of(1 + e);
    return s * (s * e) * inverse;
  }
};

template <class C>
struct Slope {
  C hard, slope;
};

template <GateSlope kSlope>
inline constexpr bool kDraws =
    kSlope == GateSlope::kGumbelRao || kSlope == GateSlope::kReinMaxRao || kSlope == GateSlope::kReinMaxCv;

// A gate of a row, which draws its own conditional noise from the row's numbers, four to a Philox block.
template <GateSlope kSlope, class C>
__device__ Slope<C> slope_of_gate(C logit, C drawn, const math::GateNumbers<C>& g, const PhiloxRow& numbers,
                                  std::int64_t col, int samples) {
  const C noisy = logit + g.noise * drawn;
  const C m = noisy > C(0) ? logit : -logit;
  C y = noisy == noisy ? math::settled_slope<kSlope>(m, noisy > C(0) ? drawn : -drawn, g) : noisy;
  if constexpr (kDraws<kSlope>) {
    const Sampler<C> sample(math::sampled_logit(kSlope, m), g);
    const auto first = static_cast<std::uint32_t>(col * ((samples + 3) / 4));
    C sum = 0;
    for (int k = 0; k < samples; k += 4) {
      const Philox words = numbers.words(first + static_cast<std::uint32_t>(k / 4));
#pragma unroll
      for (int j = 0; j < 4; ++j) {
        if (k + j < samples) sum += sample(static_cast<C>(open_uniform(words.word[j])));
      }
    }
    y += math::sampled_weight(kSlope, g) / static_cast<C>(samples) * sum;
  }
  return {noisy > C(0) ? C(1) : noisy <= C(0) ? C(0) : noisy, y};
}

// What a rule says beside its slope and its key.
struct Settings {
  double gap, weight;
  int samples;
  bool draws;

  template <class C>
  __device__ math::GateNumbers<C> numbers(const StepState& state) const {
    const C noise = static_cast<C>(state.gate_noise), least = static_cast<C>(math::kLeastNoise);
    return {draws && noise < least ? least : noise, math::reciprocal(static_cast<C>(state.temperature)),
            static_cast<C>(gap), static_cast<C>(weight)};
  }
};

// A thread a gate.
template <GateSlope kSlope, class T>
__global__ void slope_of_gates(T* hard, T* slope, const T* z, const T* noise, const StepState* state, RandomRows random,
                               Settings settings, std::int64_t cols, std::int64_t n) {
  using C = compute_t<T>;
  const std::int64_t i = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (i >= n) return;
  const std::int64_t row = cols == 1 ? i : i / cols;
  const Slope<C> y = slope_of_gate<kSlope>(static_cast<C>(z[i]), static_cast<C>(noise[i]), settings.numbers<C>(*state),
                                           kDraws<kSlope> ? random.numbers(row) : PhiloxRow(), i - row * cols,
                                           settings.samples);
  hard[i] = static_cast<T>(y.hard);
  slope[i] = static_cast<T>(y.slope);
}

// The same with noise of each row's stream: a thread a unit of a row.
template <GateSlope kSlope, class T>
__global__ void slope_of_drawn_gates(T* hard, T* slope, const T* z, const StepState* state, RandomRows drawn,
                                     RandomRows random, Settings settings, std::int64_t rows, std::int64_t cols,
                                     bool wide) {
  using C = compute_t<T>;
  constexpr int N = kUnit<T>;
  const GateUnit unit(cols, N);
  if (unit.row >= rows) return;
  const Pack<T, N> scores = load<N>(z + unit.at, unit.count, wide);
  const math::GateNumbers<C> g = settings.numbers<C>(*state);
  const PhiloxRow numbers = kDraws<kSlope> ? random.numbers(unit.row) : PhiloxRow();
  C noise[N], h[N], s[N];
  unit.draw<T>(noise, drawn);
#pragma unroll
  for (int k = 0; k < N; ++k) {
    if (k >= unit.count) break;
    const Slope<C> y = slope_of_gate<kSlope>(scores[k], noise[k], g, numbers, unit.col + k, settings.samples);
    h[k] = y.hard;
    s[k] = y.slope;
  }
  store(hard + unit.at, h, unit.count, wide);
  store(slope + unit.at, s, unit.count, wide);
}

}  // namespace

void gate_slope(Tensor& hard, Tensor& slope, const Tensor& z, const Tensor& noise, const Tensor& state,
                const DropoutKey& drawn, const GateRule& rule) {
  const std::int64_t n = z.numel();
  if (n == 0) return;
  const RandomRows random(rule.draws() ? rule.key : DropoutKey());
  const Settings settings{rule.gap, rule.weight, static_cast<int>(rule.samples), rule.draws()};
  const auto* const now = static_cast<const StepState*>(state.raw_data());
  dispatch_arithmetic(z.dtype(), "gate_slope", [&]<class T>() {
    dispatch_slope(rule.slope, [&]<GateSlope kSlope>() {
      if (noise.defined()) {
        const std::int64_t cols = rule.draws() ? n / rule.key.example.numel() : 1;
        slope_of_gates<kSlope><<<blocks(n, kThreads), kThreads, 0, stream()>>>(
            hard.data<T>(), slope.data<T>(), z.data<T>(), noise.data<T>(), now, random, settings, cols, n);
      } else {
        const std::int64_t rows = drawn.example.numel(), cols = n / rows;
        slope_of_drawn_gates<kSlope><<<blocks(rows * blocks(cols, kUnit<T>), kThreads), kThreads, 0, stream()>>>(
            hard.data<T>(), slope.data<T>(), z.data<T>(), now, RandomRows(drawn), random, settings, rows, cols,
            wide_rows(cols, kUnit<T>, hard, slope, z));
      }
      check_launch("gate_slope");
    });
  });
}

}  // namespace tk::cuda
