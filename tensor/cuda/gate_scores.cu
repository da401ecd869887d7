#include "tensor/cuda/predictor_tile.h"
#include "tensor/kernels.h"

namespace tk::cuda {
namespace {

using namespace predictor;

template <int kRowTiles, int kTiles>
__global__ void __launch_bounds__(kBlock, kTiles > 3 ? 1 : 2)
    score_rows(float* z, const BFloat16* x, std::int64_t rows, Problem p) {
  extern __shared__ uint4 memory[];
  __shared__ Columns<Hidden<kRowTiles, kTiles>::kWidth> columns;
  // Two, as a sum's readers may still be there when the next one is written.
  __shared__ alignas(16) Shares<kRowTiles> shares[2];
  const Tile<kRowTiles> tile{memory};
  constexpr int kRowsAtOnce = kRowTiles > 2 && kTiles > 3 ? 8 : 4;
  const std::int64_t first = std::int64_t{blockIdx.x} * tile.kRows;
  normalize_rows<kRowsAtOnce>(tile, p, RowsOf(x, first, rows, tile.kRows, p));
  Hidden<kRowTiles, kTiles> hidden;
  hidden.multiply(tile, columns, p);
  hidden.activate(columns, p, shares);
#pragma unroll 1
  for (int gate = 0; gate < p.gates(); ++gate) {
    hidden.score_gate(gate, columns, p, shares[gate % 2], [&](float score, int row) {
      if (first + row < rows) z[(first + row) * p.gates() + gate] = score;
    });
  }
}

// False where a block has too little shared memory for it.
template <int kRowTiles, int kTiles>
bool launch(float* z, const BFloat16* x, std::int64_t rows, const Problem& p) {
  constexpr auto kernel = score_rows<kRowTiles, kTiles>;
  static const bool fits = allow_tiles<kRowTiles>(kernel);
  if (!fits) return false;
  kernel<<<blocks(rows, Tile<kRowTiles>::kRows), kBlock, tile_bytes<kRowTiles>(p), stream()>>>(z, x, rows, p);
  check_launch("gate_scores");
  return true;
}

// Few rows leave most of a GPU idle, so that blocks of half the rows are done sooner; else they would ask twice as
// often for w, which is what then costs most.
bool launch_any(float* z, const BFloat16* x, std::int64_t rows, const Problem& p) {
  constexpr std::int64_t kFewRows = 1024;
  return dispatch_width(p.width, [&]<int kTiles>() {
    return (rows > kFewRows && launch<4, kTiles>(z, x, rows, p)) || launch<2, kTiles>(z, x, rows, p);
  });
}

}  // namespace

void gate_scores(Tensor& z, const Tensor& x, const PredictorWeights& weights) {
  if (z.numel() == 0) return;
  TK_CHECK(wide_rows(x.shape()[1], kVector, x), "gate_scores: expected x at a multiple of 16 bytes");
  TK_CHECK(launch_any(z.data<float>(), x.data<BFloat16>(), x.shape()[0], Problem(weights)),
           "gate_scores: the device has too little shared memory");
}

}  // namespace tk::cuda
