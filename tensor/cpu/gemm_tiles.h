#pragma once

#include <algorithm>

#include "tensor/cpu/gemm.h"
#include "tensor/threads.h"

// Float32 products in tiles of y that stay in registers while k runs: in each step a row of b is a few vectors, and an
// element of a is broadcast for as many multiply-adds. Around it, k runs in parts of kDepth, so that a tile's rows of a
// stay in the L1 cache, and columns in strips of kStripCols, so that b's part, packed into panels as wide as a tile,
// stays in the L2 cache while all tiles of the strip are computed.
namespace tk::cpu {

/// A tile's part of a product: y[i, j] = alpha (start + sum over p of a[i, p] b[p, j]), where start is the y of before
/// (`add`), the bias or 0.
struct Tile {
  const float* a;
  std::int64_t a_row, a_col;  // strides
  const float* b;
  std::int64_t b_row;
  std::int64_t k;
  float* y;
  std::int64_t y_row;
  std::int64_t cols;
  bool add;
  const float* bias;
  float alpha;
};

/// Products on one instruction set. Every element of y is summed over k in one order, so its bits depend on its row of
/// a and its column of b alone; those of float32 factors not on the instruction set either, one multiply-add a step.
struct TileProducts {
  /// gemm of gemm.h, by the calling thread, with so many floats to work in.
  void (*gemm)(const Product<float>& p, float* scratch);
  std::int64_t scratch;
  /// Pieces of y that keep all threads busy.
  Pieces (*pieces)(const Product<float>& p);
  /// The floats that pack() writes of a b [k, n].
  std::int64_t (*packed_size)(std::int64_t k, std::int64_t n);
  /// b of `p` as PackedFactor::data, by all threads.
  void (*pack)(const Product<float>& p, float* to);
};

/// Part k0 to k0 + k of b is packed in panels of so many columns, one behind the other.
template <class F>
void for_each_panel(std::int64_t k, std::int64_t n, std::int64_t depth, std::int64_t width, F&& f) {
  const std::int64_t panels = (n + width - 1) / width;
  const std::int64_t parts = std::max<std::int64_t>(1, (k + depth - 1) / depth);
  parallel_for(parts * panels, k * n >= thread_grain() ? num_threads() : 1, [&](std::int64_t i) {
    const std::int64_t k0 = i / panels * depth;
    const std::int64_t col = i % panels * width;
    f(k0, std::min(depth, k - k0), col, std::min(width, n - col));
  });
}

/// The activation of a part of y that is summed up, after the bias, if there is one.
void activate(const Product<float>& p, const Piece& part);

/// Null where the build is for another architecture.
const TileProducts* avx512_products();
const TileProducts* avx2_products();
const TileProducts* neon_products();
/// Factors are rounded to bfloat16 as they are packed; bits of the two differ in the order of a sum.
const TileProducts* avx512_bf16_products();
const TileProducts* amx_bf16_products();

/// The loops around a kernel K, which has kTileRows of at most kLanes, kTileCols, a multiple of kLanes (columns that
/// are packed at once), kDepth, kStripCols and
///
///     run(tile, rows)                              a tile of so many rows
///     pack_transposed(to, b, ldb, cols, k)         to[p, c] = b[c, p], rows kTileCols apart, for kLanes columns
///     pack_rows(to, stride, x, ldx, cols, k)       to[p, c] = x[p, c] for at most kLanes columns
template <class K>
class TileLoops {
  static constexpr std::int64_t kTilesAtOnce = 64 / K::kTileRows;  // of a transposed a: four cache lines of its rows

 public:
  static constexpr std::int64_t kScratch = K::kDepth * (K::kStripCols + kTilesAtOnce * K::kTileRows);

  static void gemm(const Product<float>& p, float* scratch) {
    for (std::int64_t col = 0; col < p.n; col += K::kStripCols) {
      const std::int64_t cols = std::min(K::kStripCols, p.n - col);
      for (std::int64_t k0 = 0; k0 == 0 || k0 < p.k; k0 += K::kDepth) {
        compute(p, {.col = col, .cols = cols, .k0 = k0, .k = std::min(K::kDepth, p.k - k0)}, scratch);
      }
    }
  }

  static Pieces pieces(const Product<float>& p) {
    const std::int64_t cols = p.transpose_a ? K::kStripCols : K::kStripCols / 2;
    const std::int64_t wide = std::max<std::int64_t>(1, (p.n + cols - 1) / cols);
    const std::int64_t tall = (2 * threads_for(p.m * p.n * p.k, num_threads()) + wide - 1) / wide;
    const std::int64_t rows = std::max(kFewRows, (p.m + tall - 1) / tall);
    return {.rows = p.transpose_a ? rows : std::min(rows, rows_in_cache(p)),
            .cols = cols,
            .row_unit = K::kTileRows,
            .col_unit = K::kTileCols,
            .along_rows = !p.transpose_a};
  }

  static std::int64_t packed_size(std::int64_t k, std::int64_t n) { return k * padded(n); }

  static void pack(const Product<float>& p, float* to) {
    for_each_panel(p.k, p.n, K::kDepth, K::kTileCols,
                   [&](std::int64_t k0, std::int64_t k, std::int64_t col, std::int64_t cols) {
                     const Part part{.col = col, .cols = cols, .k0 = k0, .k = k};
                     pack_panels(p, part, to + offset(p.n, part, col));
                   });
  }

 private:
  static constexpr std::int64_t kFewRows = 4 * K::kTileRows;  // so few are computed faster than b is packed

  // Rows of a whose part stays in L2 from one piece to the next.
  static std::int64_t rows_in_cache(const Product<float>& p) {
    constexpr std::int64_t kBytes = 3 << 18;
    return kBytes / static_cast<std::int64_t>(sizeof(float)) / std::clamp<std::int64_t>(p.k, 1, K::kDepth);
  }

  // Columns col to col + cols of y, of k the part from k0 on: what is computed with one packed part of b.
  struct Part {
    std::int64_t col, cols, k0, k;
  };

  // b[p, kTileCols j + c] is data[j * panel + p * row + c].
  struct Panels {
    const float* data;
    std::int64_t row, panel;
  };

  static std::int64_t padded(std::int64_t n) { return (n + K::kTileCols - 1) / K::kTileCols * K::kTileCols; }

  // Of the panel of column `col` in a packed b of n columns.
  static std::int64_t offset(std::int64_t n, const Part& part, std::int64_t col) {
    return part.k0 * padded(n) + col * part.k;
  }

  static const float* first_of_b(const Product<float>& p, const Part& part) {
    return p.b + (p.transpose_b ? part.col * p.ldb + part.k0 : part.k0 * p.ldb + part.col);
  }

  static void pack_panels(const Product<float>& p, const Part& part, float* panels) {
    const float* b = first_of_b(p, part);
    for (std::int64_t col = 0; col < part.cols; col += K::kLanes) {
      float* to = panels + col / K::kTileCols * part.k * K::kTileCols + col % K::kTileCols;
      p.transpose_b ? K::pack_transposed(to, b + col * p.ldb, p.ldb, part.cols - col, part.k)
                    : K::pack_rows(to, K::kTileCols, b + col, p.ldb, part.cols - col, part.k);
    }
  }

  static Panels panels_of_b(const Product<float>& p, const Part& part, float* scratch) {
    const std::int64_t panel = part.k * K::kTileCols;
    if (p.packed.data != nullptr) {
      return {p.packed.data + offset(p.packed.cols, part, p.packed.first + part.col), K::kTileCols, panel};
    }
    if (!p.transpose_b && p.m <= kFewRows) return {first_of_b(p, part), p.ldb, K::kTileCols};
    pack_panels(p, part, scratch);
    return {scratch, K::kTileCols, panel};
  }

  // a[i, p] is data[i * row + p * col].
  struct RowsOfA {
    const float* data;
    std::int64_t row, col;
  };

  // Tile t of `tiles` that are nearly equally high.
  struct TileRows {
    std::int64_t m, tiles;
    std::int64_t first(std::int64_t t) const { return m * t / tiles; }
    std::int64_t count(std::int64_t t) const { return first(t + 1) - first(t); }
  };

  static bool packs_a(const Product<float>& p, const Part& part) {
    return p.transpose_a && part.cols > K::kTileCols;  // else it is read once
  }

  // A transposed a of tiles begin to end - 1, each [k, its rows]. Some rows of a at a time, so that a cache line is
  // fetched once for all the tiles that it has a part of.
  static void pack_tiles(const Product<float>& p, const Part& part, const TileRows& rows, std::int64_t begin,
                         std::int64_t end, float* to) {
    constexpr std::int64_t kRows = 16;
    for (std::int64_t k = 0; k < part.k; k += kRows) {
      const float* a = p.a + (part.k0 + k) * p.lda;
      for (std::int64_t t = begin; t < end; ++t) {
        const std::int64_t n = rows.count(t);
        K::pack_rows(to + (t - begin) * K::kDepth * K::kTileRows + k * n, n, a + rows.first(t), p.lda, n,
                     std::min(kRows, part.k - k));
      }
    }
  }

  static RowsOfA rows_of_a(const Product<float>& p, const Part& part, const TileRows& rows, std::int64_t t,
                           float* scratch) {
    const std::int64_t i0 = rows.first(t);
    if (!p.transpose_a) return {p.a + i0 * p.lda + part.k0, p.lda, 1};
    if (!packs_a(p, part)) return {p.a + part.k0 * p.lda + i0, 1, p.lda};
    const std::int64_t place = t % kTilesAtOnce;
    if (place == 0) pack_tiles(p, part, rows, t, std::min(t + kTilesAtOnce, rows.tiles), scratch);
    return {scratch + place * K::kDepth * K::kTileRows, 1, rows.count(t)};
  }

  static void compute(const Product<float>& p, const Part& part, float* scratch) {
    const Panels b = panels_of_b(p, part, scratch);
    const TileRows all{p.m, (p.m + K::kTileRows - 1) / K::kTileRows};
    for (std::int64_t t = 0; t < all.tiles; ++t) {
      const std::int64_t i0 = all.first(t), rows = all.count(t);
      const RowsOfA a = rows_of_a(p, part, all, t, scratch + K::kDepth * K::kStripCols);
      for (std::int64_t j = 0; j * K::kTileCols < part.cols; ++j) {
        const std::int64_t col = part.col + j * K::kTileCols;
        K::run({.a = a.data,
                .a_row = a.row,
                .a_col = a.col,
                .b = b.data + j * b.panel,
                .b_row = b.row,
                .k = part.k,
                .y = p.y + i0 * p.ldy + col,
                .y_row = p.ldy,
                .cols = std::min(K::kTileCols, p.n - col),
                .add = p.add || part.k0 > 0,
                .bias = p.bias != nullptr && !p.activation ? p.bias + col : nullptr,
                .alpha = part.k0 + part.k == p.k ? p.alpha : 1.0f},
               rows);
      }
      if (part.k0 + part.k == p.k) activate(p, {i0, i0 + rows, part.col, part.col + part.cols});
    }
  }
};

/// The products of a kernel.
template <class K>
inline constexpr TileProducts kTileProducts = {&TileLoops<K>::gemm, TileLoops<K>::kScratch, &TileLoops<K>::pieces,
                                               &TileLoops<K>::packed_size, &TileLoops<K>::pack};

}  // namespace tk::cpu
