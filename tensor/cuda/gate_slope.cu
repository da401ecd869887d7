#include "tensor/cuda/random_rows.h"
#include "tensor/gate_math.h"
#include "tensor/gate_slope_math.h"
#include "tensor/kernels.h"

namespace tk::cuda {
namespace {

// A thread a gate, which draws its own conditional noise, four numbers a Philox block.
template <GateSlope kSlope, class T>
__global__ void slope_of_gates(T* hard, T* slope, const T* z, const T* noise, const StepState* state, RandomRows random,
                               std::int64_t gates, double gap, double weight, std::int64_t samples, std::int64_t n) {
  using C = compute_t<T>;
  constexpr bool kDraws =
      kSlope == GateSlope::kGumbelRao || kSlope == GateSlope::kReinMaxRao || kSlope == GateSlope::kReinMaxCv;
  const std::int64_t i = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (i >= n) return;
  double factor = state->gate_noise;
  if (kDraws && factor < math::kLeastNoise) factor = math::kLeastNoise;
  const math::GateNumbers<C> g{static_cast<C>(factor), static_cast<C>(1 / state->temperature), static_cast<C>(gap),
                               static_cast<C>(weight)};
  const C logit = static_cast<C>(z[i]), drawn = static_cast<C>(noise[i]);
  const C noisy = logit + g.noise * drawn;
  hard[i] = static_cast<T>(noisy > C(0) ? C(1) : noisy <= C(0) ? C(0) : noisy);
  const C m = noisy > C(0) ? logit : -logit;
  C y = noisy == noisy ? math::settled_slope<kSlope>(m, noisy > C(0) ? drawn : -drawn, g) : noisy;
  if constexpr (kDraws) {
    const auto margin = math::Margin<C>::of(math::sampled_logit(kSlope, m), g.noise);
    const std::int64_t row = i / gates, first = (i - row * gates) * ((samples + 3) / 4);
    C sum = 0;
    for (std::int64_t k = 0; k < samples; k += 4) {
      const Philox words = random.words(row, first + k / 4);
#pragma unroll
      for (int j = 0; j < 4; ++j) {
        if (k + j < samples) {
          sum += math::sigmoid_slope(margin(static_cast<C>(open_uniform(words.word[j])), g.noise),
                                     g.inverse_temperature);
        }
      }
    }
    y += math::sampled_weight(kSlope, g) / static_cast<C>(samples) * sum;
  }
  slope[i] = static_cast<T>(y);
}

}  // namespace

void gate_slope(Tensor& hard, Tensor& slope, const Tensor& z, const Tensor& noise, const Tensor& state,
                const GateRule& rule) {
  const std::int64_t n = z.numel();
  if (n == 0) return;
  const std::int64_t gates = rule.draws() ? n / rule.key.example.numel() : 1;
  const RandomRows random(rule.draws() ? rule.key : DropoutKey());
  dispatch_arithmetic(z.dtype(), "gate_slope", [&]<class T>() {
    dispatch_slope(rule.slope, [&]<GateSlope kSlope>() {
      slope_of_gates<kSlope><<<blocks(n, kThreads), kThreads, 0, stream()>>>(
          hard.data<T>(), slope.data<T>(), z.data<T>(), noise.data<T>(),
          static_cast<const StepState*>(state.raw_data()), random, gates, rule.gap, rule.weight, rule.samples, n);
      check_launch("gate_slope");
    });
  });
}

}  // namespace tk::cuda
