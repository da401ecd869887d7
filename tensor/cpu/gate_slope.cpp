#include "tensor/cpu/parallel.h"
#include "tensor/cpu/random_rows.h"
#include "tensor/cpu/simd.h"
#include "tensor/gate_math.h"
#include "tensor/gate_slope_math.h"
#include "tensor/kernels.h"

namespace tk::cpu {
namespace {

constexpr std::int64_t kGates = RowBlocks::kMost;  // of a chunk, whose scratch stays in the first cache
constexpr std::int64_t kGateCost = 8;              // of a slope or a sample, in elements

template <class T>
struct ChunkScratch {
  RowBlocks blocks;
  T chance[kGates];
  T rest[kGates];
  T sum[kGates];
};

// hard and the settled part of the slope; of what draws, the margins' distributions too.
template <GateSlope kSlope, class T>
TK_SIMD void settle(T* hard, T* slope, T* chance, T* rest, const T* z, const T* noise, const math::GateNumbers<T>& g,
                    std::int64_t n) {
  constexpr bool kDraws =
      kSlope == GateSlope::kGumbelRao || kSlope == GateSlope::kReinMaxRao || kSlope == GateSlope::kReinMaxCv;
  for (std::int64_t i = 0; i < n; ++i) {
    const T noisy = z[i] + g.noise * noise[i];
    hard[i] = noisy > T(0) ? T(1) : noisy <= T(0) ? T(0) : noisy;
    const T m = noisy > T(0) ? z[i] : -z[i];
    const T side = noisy > T(0) ? noise[i] : -noise[i];
    slope[i] = noisy == noisy ? math::settled_slope<kSlope>(m, side, g) : noisy;
    if constexpr (kDraws) {
      const auto margin = math::Margin<T>::of(math::sampled_logit(kSlope, m), g.noise);
      chance[i] = margin.chance;
      rest[i] = margin.rest;
    }
  }
}

template <class T>
TK_SIMD void add_slopes(T* sum, const T* chance, const T* rest, const std::uint32_t* words,
                        const math::GateNumbers<T>& g, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) {
    const math::Margin<T> margin{chance[i], rest[i]};
    sum[i] += math::sigmoid_slope(margin(static_cast<T>(open_uniform(words[i])), g.noise), g.inverse_temperature);
  }
}

// Each gate draws blocks of its row's stream, one after those of the gates before it.
void name_gates(RowBlocks& ids, const DropoutKey& key, std::int64_t begin, std::int64_t n, std::int64_t gates,
                std::int64_t blocks) {
  const auto* example = key.example.data<std::int32_t>();
  const auto* position = key.position.data<std::int32_t>();
  for (std::int64_t i = 0; i < n; ++i) {
    const std::int64_t row = (begin + i) / gates;
    ids.example[i] = static_cast<std::uint32_t>(example[row]);
    ids.word[i] = key.stream.word() | static_cast<std::uint32_t>(position[row]);
    ids.block[i] = static_cast<std::uint32_t>((begin + i - row * gates) * blocks);
  }
}

}  // namespace

void gate_slope(Tensor& hard, Tensor& slope, const Tensor& z, const Tensor& given, const Tensor& state,
                const DropoutKey& drawn, const GateRule& rule) {
  const StepState& now = step_state(state);
  TK_CHECK(now.temperature > 0, "gate_slope: expected a temperature above 0, got ", now.temperature);
  const std::int64_t gates = rule.draws() && z.numel() > 0 ? z.numel() / rule.key.example.numel() : 1;
  const std::int64_t blocks = (rule.samples + 3) / 4;
  const Tensor noise = noise_of_gates(z, given, drawn);
  dispatch_floating(z.dtype(), "gate_slope", [&]<class T>() {
    const math::GateNumbers<T> g{
        static_cast<T>(rule.draws() ? std::max(now.gate_noise, math::kLeastNoise) : now.gate_noise),
        static_cast<T>(1 / now.temperature), static_cast<T>(rule.gap), static_cast<T>(rule.weight)};
    const T share = math::sampled_weight(rule.slope, g) / static_cast<T>(rule.samples);
    ThreadScratch<std::byte> scratch(rule.draws() ? sizeof(ChunkScratch<T>) : 0);
    const std::int64_t cost = kGateCost * (rule.draws() ? 1 + rule.samples : 1);
    parallel_chunks(z.numel(), kGates, z.numel() * cost, [&](std::int64_t begin, std::int64_t end) {
      const std::int64_t n = end - begin;
      T* const out = slope.data<T>() + begin;
      ChunkScratch<T>* const s = rule.draws() ? reinterpret_cast<ChunkScratch<T>*>(scratch.mine()) : nullptr;
      dispatch_slope(rule.slope, [&]<GateSlope kSlope>() {
        settle<kSlope>(hard.data<T>() + begin, out, s != nullptr ? s->chance : nullptr,
                       s != nullptr ? s->rest : nullptr, z.data<T>() + begin, noise.data<T>() + begin, g, n);
      });
      if (s == nullptr) return;
      const StepState& names = step_state(rule.key.state);
      name_gates(s->blocks, rule.key, begin, n, gates, blocks);
      std::fill_n(s->sum, n, T(0));
      for (std::int64_t k = 0; k < rule.samples; ++k) {
        if (k % 4 == 0) {
          s->blocks.draw(names.seed, static_cast<std::uint32_t>(names.step), static_cast<std::uint32_t>(k / 4), n);
        }
        add_slopes(s->sum, s->chance, s->rest, s->blocks.words[k % 4], g, n);
      }
      for (std::int64_t i = 0; i < n; ++i) out[i] += share * s->sum[i];
    });
  });
}

}  // namespace tk::cpu
