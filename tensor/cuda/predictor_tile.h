#pragma once

#include "tensor/cuda/gelu.h"
#include "tensor/cuda/held_rows.h"
#include "tensor/cuda/mma.h"
#include "tensor/kernel_arguments.h"

// A skim predictor on the matrix units, in one pass over x. A block takes 64 rows (or 32) and all columns of the hidden
// layer: LN(x) lies in shared memory as bfloat16, w LN(x) in registers. A warp has an eighth of the columns, so no
// other warp wants its rows of w: they come from L2 straight into its registers, some slices of x's columns ahead, and
// the warps meet only where a row is summed. Sums are float32 in a fixed order.
//
// The terms of a product may come in any order, if it is the same for both factors. So of a slice of 32 columns lane t
// of a row (mma.h) takes columns 8 t to 8 t + 7, 16 adjacent bytes, as its part of two steps of 16.
namespace tk::cuda::predictor {

constexpr int kWarps = 8;
constexpr int kBlock = kWarps * kWarp;
constexpr int kSlice = 4 * kVector;  // columns of x
constexpr int kAhead = 3;            // slices of w that a warp has asked for, and that it takes in turn
constexpr int kMostGates = 3;

struct Problem {
  const float *gamma, *beta;                // [hidden]
  const BFloat16* w;                        // [width, hidden]
  const float* b;                           // [width]
  const float *hidden_gamma, *hidden_beta;  // [width]
  const float *output_w, *output_b;         // [outputs, width], [outputs]
  float epsilon;
  int hidden, width, outputs;

  Problem(const PredictorWeights& weights)
      : gamma(weights.input_gamma.data<float>()),
        beta(weights.input_beta.data<float>()),
        w(weights.w.data<BFloat16>()),
        b(weights.b.data<float>()),
        hidden_gamma(weights.hidden_gamma.data<float>()),
        hidden_beta(weights.hidden_beta.data<float>()),
        output_w(weights.output_w.data<float>()),
        output_b(weights.output_b.data<float>()),
        epsilon(static_cast<float>(weights.epsilon)),
        hidden(static_cast<int>(weights.w.shape()[1])),
        width(static_cast<int>(weights.w.shape()[0])),
        outputs(static_cast<int>(weights.output_w.shape()[0])) {
    TK_CHECK(gates() <= kMostGates, "gate_scores: expected at most ", kMostGates, " outputs on CUDA, got ", outputs);
    TK_CHECK(wide_rows(hidden, kVector, weights.input_gamma, weights.input_beta, weights.w),
             "gate_scores: expected tensors at multiples of 16 bytes");
  }

  __host__ __device__ int gates() const { return outputs == 2 ? 1 : outputs; }
  __host__ __device__ int vectors() const { return hidden / kVector; }
  __host__ __device__ int slices() const { return hidden / kSlice; }
  // Up to a whole turn; behind the last one lie zeros.
  __host__ __device__ int padded_slices() const { return (slices() + kAhead - 1) / kAhead * kAhead; }
};

// LN(x) of the block's rows in shared memory, in the order in which the matrix units want it: for each slice, 16 rows
// and step of 16 columns a quad for each lane, A's four words. In odd slices lanes 4 apart change places, so that a
// warp that writes adjacent columns of two rows meets all banks.
template <int kRowTiles>
struct Tile {
  static constexpr int kRows = 16 * kRowTiles;
  static constexpr int kQuadsOfSlice = kRowTiles * 2 * kWarp;
  uint4* quads;

  __device__ uint4* at(int slice, int row_tile, int lane) const {
    return quads + slice * kQuadsOfSlice + row_tile * 2 * kWarp + (lane ^ slice % 2 * 4);
  }
  // A vector of row g of 16, and the same of row g + 8.
  __device__ void store(int vector, int row_tile, int g, const Vector& low, const Vector& high) const {
    uint4* const to = at(vector / 4, row_tile, 4 * g + vector % 4);
    to[0] = make_uint4(low.words[0], high.words[0], low.words[1], high.words[1]);
    to[kWarp] = make_uint4(low.words[2], high.words[2], low.words[3], high.words[3]);
  }
};

// Place of a thread in its warp and of its elements in a matrix (mma.h).
struct Place {
  int warp = static_cast<int>(threadIdx.x) / kWarp;
  int lane = static_cast<int>(threadIdx.x) % kWarp;
  int g = lane / 4;
  int t = lane % 4;

  __device__ int row(int r) const { return 16 * (r / 2) + 8 * (r % 2) + g; }
};

// What belongs to the hidden layer's columns; zeros behind the last one.
template <int kWidth>
struct Columns {
  float b[kWidth], gamma[kWidth], beta[kWidth];
  float gate[kMostGates][kWidth];

  __device__ void load(const Problem& p) {
#pragma unroll
    for (int begin = 0; begin < kWidth; begin += kBlock) {
      const int col = begin + static_cast<int>(threadIdx.x);
      if (col >= kWidth) return;
      const bool there = col < p.width;
      b[col] = there ? p.b[col] : 0.0f;
      gamma[col] = there ? p.hidden_gamma[col] : 0.0f;
      beta[col] = there ? p.hidden_beta[col] : 0.0f;
      float weight[kMostGates];
#pragma unroll
      for (int i = 0; i < kMostGates; ++i) weight[i] = there && i < p.outputs ? p.output_w[i * p.width + col] : 0.0f;
      if (p.outputs == 2) weight[0] = weight[1] - weight[0];
#pragma unroll
      for (int i = 0; i < kMostGates; ++i) gate[i][col] = weight[i];
    }
  }
};

// The block's rows of a matrix [rows, hidden] from `first` on; those behind the last one are its copies.
struct RowsOf {
  const BFloat16* x;
  int last;

  __device__ RowsOf(const BFloat16* x, std::int64_t first, std::int64_t rows, int most, const Problem& p)
      : x(x + first * p.hidden), last(static_cast<int>(min(rows - first, std::int64_t{most})) - 1) {}

  template <int N>
  __device__ void operator()(HeldRows<N>& held, const int (&rows)[N], const Problem& p) const {
    held.load_rows(p.hidden, [&](int r) { return x + min(rows[r], last) * p.hidden; });
  }
};

// LN(x) of the block's rows, N at once of a warp's. fetch(HeldRows, rows, p) brings the rows of these numbers.
template <int N, int kRowTiles, class Fetch>
__device__ void normalize_rows(const Tile<kRowTiles>& tile, const Problem& p, const Fetch& fetch) {
  const Place place;
  constexpr int kRows = tile.kRows;
#pragma unroll 1
  for (int begin = 0; begin < kRows / kWarps; begin += N) {
    const int pair = (kRows / kWarps * place.warp + begin) / 2;  // of rows 8 apart
    const int row_tile = pair / 8, g = pair % 8;
    int rows[N];
#pragma unroll
    for (int r = 0; r < N; ++r) rows[r] = 16 * row_tile + g + r / 2 + r % 2 * 8;
    HeldRows<N> held;
    fetch(held, rows, p);
    float mean[N], rstd[N];
    held.moments(mean, rstd, p.epsilon, p.hidden);
    for_each_vector(p.hidden, [&](int i, int at) {
      const Pack<float, kVector> gamma = load<kVector>(p.gamma + kVector * at, kVector, true);
      const Pack<float, kVector> beta = load<kVector>(p.beta + kVector * at, kVector, true);
#pragma unroll
      for (int r = 0; r < N; ++r) {
        float y[kVector];
        for (int k = 0; k < kVector; ++k) {
          y[k] = (held.x[r][i][k] * rstd[r] - mean[r] * rstd[r]) * gamma[k] + beta[k];
        }
        held.x[r][i] = Vector(y);
        if (r % 2 == 1) tile.store(at, row_tile, g + r / 2, held.x[r - 1][i], held.x[r][i]);
      }
    });
    if (const int at = p.vectors() + place.lane; at < 4 * p.padded_slices()) {
      for (int r = 0; r < N / 2; ++r) tile.store(at, row_tile, g + r, Vector{}, Vector{});
    }
  }
}

// A lane's rows of w, one for each of its columns of the hidden layer.
template <int kTiles>
struct WeightRows {
  int begin[kTiles];  // in vectors

  __device__ void load_slice(uint4 (&w)[kTiles], const Problem& p, int slice) const {
    const uint4* const from = reinterpret_cast<const uint4*>(p.w) + 4 * slice;
#pragma unroll
    for (int n = 0; n < kTiles; ++n) w[n] = __ldg(from + begin[n]);
  }
};

// The warps' shares of each row's sum; padded, so that the rows that a warp reads at once lie in different banks.
template <int kRowTiles>
using Shares = float[16 * kRowTiles][kWarps + 4];

// Sums over the block's columns, of a lane's rows.
template <int kRowTiles>
__device__ void sum_rows(float (&x)[2 * kRowTiles], Shares<kRowTiles>& shares) {
  const Place place;
  sum_over_lanes(x, 4);
#pragma unroll
  for (int r = 0; r < 2 * kRowTiles; ++r) {
    if (place.t == 0) shares[place.row(r)][place.warp] = x[r];
  }
  __syncthreads();
#pragma unroll
  for (int r = 0; r < 2 * kRowTiles; ++r) {
    const Pack<float, kWarps> of_warp = load<kWarps>(shares[place.row(r)], kWarps, true);
    x[r] = of_warp[0];
    for (int warp = 1; warp < kWarps; ++warp) x[r] += of_warp[warp];
  }
}

// A warp's columns of the hidden layer for the block's rows, as C of kRowTiles x kTiles matrices.
template <int kRowTiles, int kTiles>
struct Hidden {
  static constexpr int kWidth = kWarps * kTiles * 8;
  static constexpr int kLaneRows = 2 * kRowTiles;
  Place place;
  int first = place.warp * kTiles * 8;  // column
  float x[kRowTiles][kTiles][4];

  // f(element, a lane's row, column)
  template <class F>
  __device__ void for_each(F f) {
#pragma unroll
    for (int n = 0; n < kTiles; ++n) {
#pragma unroll
      for (int j = 0; j < 2; ++j) {
#pragma unroll
        for (int r = 0; r < kLaneRows; ++r) f(x[r / 2][n][r % 2 * 2 + j], r, first + 8 * n + 2 * place.t + j);
      }
    }
  }

  __device__ void clear_absent(int width) {
    if (first + 8 * kTiles <= width) return;
    for_each([&](float& v, int, int col) {
      if (col >= width) v = 0.0f;
    });
  }

  // Columns behind the last one take its row.
  __device__ WeightRows<kTiles> weight_rows(const Problem& p) const {
    WeightRows<kTiles> rows;
#pragma unroll
    for (int n = 0; n < kTiles; ++n) rows.begin[n] = min(first + 8 * n + place.g, p.width - 1) * p.vectors() + place.t;
    return rows;
  }

  __device__ void add_slice(const Tile<kRowTiles>& tile, const uint4 (&w)[kTiles], int slice) {
    const uint4* const quads = tile.at(slice, 0, place.lane);
#pragma unroll
    for (int m = 0; m < kRowTiles; ++m) {
      const uint4 a = quads[2 * kWarp * m], b = quads[2 * kWarp * m + kWarp];
#pragma unroll
      for (int n = 0; n < kTiles; ++n) mma(x[m][n], {a.x, a.y, a.z, a.w}, w[n].x, w[n].y);
#pragma unroll
      for (int n = 0; n < kTiles; ++n) mma(x[m][n], {b.x, b.y, b.z, b.w}, w[n].z, w[n].w);
    }
  }

  // b + w LN(x). Calls for w and `columns` before it waits for the tile.
  __device__ void multiply(const Tile<kRowTiles>& tile, Columns<kWidth>& columns, const Problem& p) {
    const WeightRows<kTiles> rows = weight_rows(p);
    uint4 w[kAhead][kTiles];
#pragma unroll
    for (int i = 0; i < kAhead; ++i) rows.load_slice(w[i], p, min(i, p.slices() - 1));
    columns.load(p);
    __syncthreads();
    for_each([&](float& v, int, int col) { v = columns.b[col]; });
#pragma unroll 1
    for (int slice = 0; slice < p.slices(); slice += kAhead) {
#pragma unroll
      for (int i = 0; i < kAhead; ++i) {
        add_slice(tile, w[i], slice + i);
        if (slice + i + kAhead < p.slices()) rows.load_slice(w[i], p, slice + i + kAhead);
      }
    }
    clear_absent(p.width);
  }

  // GELU(LN(x)) in place of x.
  __device__ void activate(const Columns<kWidth>& columns, const Problem& p, Shares<kRowTiles> (&shares)[2]) {
    const float share = 1.0f / static_cast<float>(p.width);
    float mean[kLaneRows] = {}, rstd[kLaneRows] = {};
    for_each([&](float& v, int r, int) { mean[r] += v; });
    sum_rows<kRowTiles>(mean, shares[0]);
#pragma unroll
    for (int r = 0; r < kLaneRows; ++r) mean[r] *= share;
    for_each([&](float& v, int r, int) { v -= mean[r]; });
    clear_absent(p.width);
    for_each([&](float& v, int r, int) { rstd[r] += v * v; });
    sum_rows<kRowTiles>(rstd, shares[1]);
    finish_rstd(rstd, share, p.epsilon);
    for_each([&](float& v, int r, int col) { v = gelu(v * rstd[r] * columns.gamma[col] + columns.beta[col]); });
  }

  // put(z, row of the tile) for the rows that a thread speaks for.
  template <class Put>
  __device__ void score_gate(int gate, const Columns<kWidth>& columns, const Problem& p, Shares<kRowTiles>& shares,
                             Put put) {
    float dots[kLaneRows] = {};
    for_each([&](float& v, int r, int col) { dots[r] += v * columns.gate[gate][col]; });
    sum_rows<kRowTiles>(dots, shares);
    if (place.warp != 0 || place.t != 0) return;
    const float bias = p.outputs == 2 ? p.output_b[1] - p.output_b[0] : p.output_b[gate];
#pragma unroll
    for (int r = 0; r < kLaneRows; ++r) put(dots[r] + bias, place.row(r));
  }
};

// Calls f.template operator()<columns of a warp, in eights>().
template <class F>
bool dispatch_width(int width, F&& f) {
  constexpr int kNarrow = 3, kWide = 6;
  return width <= kWarps * kNarrow * 8 ? f.template operator()<kNarrow>() : f.template operator()<kWide>();
}

// Lets the kernel have the tiles of the widest rows in shared memory. False where a block has too little of it.
template <int kRowTiles, class Kernel>
bool allow_tiles(Kernel kernel) {
  constexpr int kMostSlices = (kMostHidden / kSlice + kAhead - 1) / kAhead * kAhead;
  constexpr int kBytes = kMostSlices * Tile<kRowTiles>::kQuadsOfSlice * static_cast<int>(sizeof(uint4));
  if (cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, kBytes) == cudaSuccess) return true;
  cudaGetLastError();  // it is handled: later checks must not see it
  return false;
}

template <int kRowTiles>
std::size_t tile_bytes(const Problem& p) {
  return static_cast<std::size_t>(p.padded_slices()) * Tile<kRowTiles>::kQuadsOfSlice * sizeof(uint4);
}

}  // namespace tk::cuda::predictor
