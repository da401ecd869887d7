#include "tensor/cpu/predictor_row.h"
#include "tensor/cpu/slab_products.h"
#include "tensor/kernels.h"

namespace tk::cpu {

// Slabs of rows, which a thread takes from end to end.
void packed_gate_scores(Tensor& z, const Tensor& x, const PackedMatrix& w, const PredictorWeights& weights) {
  constexpr std::int64_t kRows = 64;
  const std::int64_t rows = x.shape()[0], hidden = w.in, width = w.out, gates = z.shape()[1];
  const Cuts cuts(rows, kRows, 1);
  const HeadParameters<float> head(weights.hidden_gamma, weights.hidden_beta, weights.output_w, weights.output_b,
                                   weights.epsilon);
  SlabProducts multiply(kRows, hidden, w.is_int8());
  ThreadScratch<float> floats(kRows * (hidden + width) + width);
  parallel_for(cuts.count, threads_for(rows * hidden * width, num_threads()), [&](std::int64_t slab) {
    const std::int64_t first = cuts.at(slab), n = cuts.at(slab + 1) - first;
    float *const normalized = floats.mine(), *const u = normalized + kRows * hidden, *const room = u + kRows * width;
    for (std::int64_t i = 0; i < n; ++i) {
      const float* row = x.data<float>() + (first + i) * hidden;
      normalize_row(normalized + i * hidden, row, moments_row(row, head.epsilon, hidden),
                    weights.input_gamma.data<float>(), weights.input_beta.data<float>(), hidden);
    }
    multiply(u, {normalized, nullptr, n}, w, {0, width});
    for (std::int64_t i = 0; i < n; ++i) score_row(z.data<float>() + (first + i) * gates, u + i * width, head, room);
  });
}

}  // namespace tk::cpu
