#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "tensor/activation.h"
#include "tensor/cpu/pieces.h"
#include "tensor/cpu/quantize_row.h"
#include "tensor/threads.h"

// y = x w^T + bias of float32 rows x and an int8 weight w. Each row of x is rounded to int8 by its own scale (as
// quantize_row does), products and sums are integers, and so exact, and
//
//     y[i, j] = float(sum over p of q[i, p] w[j, p]) scale_x[i] scale_w[j] + bias[j],
//
// the second scale and the bias in one rounding, through an activation if there is one. So its bits depend on no
// instruction set, no number of threads, and not on the rows beside. A row of x with a NaN or an infinity makes a row
// of NaN.
namespace tk::cpu {

// w packed in panels of 16 rows (columns of y): [n / 16][k / 4][16][4], with zeros for what is missing of a panel and
// of 64 along k. `start`, for kernels whose rows are q + 128, is -128 times the sums of w's rows, [n] up to a panel's
// end.
inline constexpr std::int64_t kPanelCols = 16, kQuad = 4, kDepthUnit = 64;
inline constexpr std::int64_t kMostDepth = 65536;  // |sums| < 2^31
inline constexpr std::int64_t padded(std::int64_t n, std::int64_t unit) { return (n + unit - 1) / unit * unit; }
void pack_int8(std::int8_t* panels, std::int32_t* start, const std::int8_t* w, std::int64_t n, std::int64_t k);

struct Int8Product {
  std::int64_t m = 0, n = 0, k = 0;
  const float* x = nullptr;  // rows ldx apart
  std::int64_t ldx = 0;
  const std::int32_t* rows = nullptr;  // which of them, -1: any; null: the first m
  const std::int8_t* panels = nullptr;
  const std::int32_t* start = nullptr;
  const float* scale = nullptr;  // [n]
  const float* bias = nullptr;   // [n] or none
  float* y = nullptr;            // [m, n]
  std::optional<Activation> activation = {};
};

/// A tile's part of it.
struct Int8Tile {
  const void* q;  // rows of x, q_row elements apart
  std::int64_t q_row;
  const std::int8_t* w;  // in panels that lie `panel` apart
  std::int64_t panel, quads;
  const std::int32_t* start;
  const float* x_scale;
  const float* scale;
  const float* bias;
  float* y;
  std::int64_t y_row, rows, cols;
};

/// Products on one instruction set, by loops of Int8Loops.
struct Int8Kernel {
  std::int64_t element;  // bytes of one of x' rounded elements
  std::int64_t tile_rows;
  float (*quantize)(void* q, const float* x, std::int64_t n);
  Pieces (*pieces)(const Int8Product& p);
  void (*gemm)(const Int8Product& p, const void* q, const float* x_scale, const Piece& piece);
};

const Int8Kernel& plain_int8();
/// Of other architectures than x86-64 the plain one.
const Int8Kernel& avx2_int8();
const Int8Kernel& avx_vnni_int8();
const Int8Kernel& avx512_int8();
const Int8Kernel& avx512_vnni_int8();
const Int8Kernel& amx_int8();
/// That of cpu_isa().
const Int8Kernel& int8_kernel();

/// The activation of a part of y, if there is one.
void activate(const Int8Product& p, const Piece& part);

/// Room for p.m rounded rows of x.
struct Int8Rows {
  std::byte* q;
  float* scale;

  static constexpr std::int64_t kMore = 31;  // tiles of AMX read so many rows beyond the last
  static std::int64_t bytes(std::int64_t rows, std::int64_t k, const Int8Kernel& kernel) {
    return (rows + kMore) * padded(k, kDepthUnit) * kernel.element;
  }
};
/// Rounds row i of those that p takes.
void quantize(const Int8Rows& to, const Int8Product& p, const Int8Kernel& kernel, std::int64_t i);

/// By all threads.
void parallel_gemm(const Int8Product& p, const Int8Kernel& kernel);

/// The loops around a kernel K, which has Element, kShift (of quantize_row), kTileRows, kTileCols and
///
///     begin(), end()   around a piece
///     run(tile)        of at most kTileRows and kTileCols
template <class K>
class Int8Loops {
 public:
  using Element = typename K::Element;

  static float quantize(void* q, const float* x, std::int64_t n) {
    return quantize_row<Element, K::kShift>(static_cast<Element*>(q), x, n);
  }

  // A piece's columns of w stay in the L2 cache.
  static Pieces pieces(const Int8Product& p) {
    constexpr std::int64_t kBytes = 1 << 18;
    constexpr std::int64_t kUnit = std::max(K::kTileCols, kPanelCols);
    const std::int64_t depth = std::max(kDepthUnit, padded(p.k, kDepthUnit));
    const std::int64_t cols = std::max<std::int64_t>(1, kBytes / depth / kUnit) * kUnit;
    const std::int64_t wide = std::max<std::int64_t>(1, (p.n + cols - 1) / cols);
    const std::int64_t tall = (2 * num_threads() + wide - 1) / wide;
    return {.rows = std::max(2 * K::kTileRows, (p.m + tall - 1) / tall),
            .cols = cols,
            .row_unit = K::kTileRows,
            .col_unit = kUnit};
  }

  static void gemm(const Int8Product& p, const void* q, const float* x_scale, const Piece& piece) {
    const std::int64_t depth = padded(p.k, kDepthUnit);
    const std::int64_t m = piece.i1 - piece.i0;
    const std::int64_t tiles = (m + K::kTileRows - 1) / K::kTileRows;
    K::begin();
    for (std::int64_t t = 0; t < tiles; ++t) {
      const std::int64_t i = piece.i0 + m * t / tiles;
      const std::int64_t rows = piece.i0 + m * (t + 1) / tiles - i;
      for (std::int64_t j = piece.j0; j < piece.j1; j += K::kTileCols) {
        K::run({.q = static_cast<const Element*>(q) + i * depth,
                .q_row = depth,
                .w = p.panels + j / kPanelCols * kPanelCols * depth + j % kPanelCols * kQuad,
                .panel = kPanelCols * depth,
                .quads = (p.k + kQuad - 1) / kQuad,
                .start = p.start + j,
                .x_scale = x_scale + i,
                .scale = p.scale + j,
                .bias = p.bias != nullptr ? p.bias + j : nullptr,
                .y = p.y + i * p.n + j,
                .y_row = p.n,
                .rows = rows,
                .cols = std::min(K::kTileCols, piece.j1 - j)});
      }
      activate(p, {i, i + rows, piece.j0, piece.j1});
    }
    K::end();
  }
};

template <class K>
inline constexpr Int8Kernel kInt8Kernel = {sizeof(typename K::Element), K::kTileRows, &Int8Loops<K>::quantize,
                                           &Int8Loops<K>::pieces, &Int8Loops<K>::gemm};

}  // namespace tk::cpu
