#include "tensor/cpu/gemm_avx512.h"

#include <algorithm>

#include "tensor/threads.h"

#if defined(__x86_64__)
#include <immintrin.h>

// A tile of y, 14 rows by 32 columns, stays in 28 registers while k runs: a row of b is two loads, an element of a one
// broadcast for two multiply-adds. Around it, k runs in parts of kDepth, so that a tile's rows of a stay in the L1
// cache, and columns in strips of kStripCols, so that b's part, packed into panels of 32 columns, stays in the L2 cache
// while all tiles of the strip are computed.
namespace tk::cpu {
namespace {

#define TK_AVX512 __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,fma")))

constexpr std::int64_t kTileRows = 14;
constexpr std::int64_t kTileCols = 32;
constexpr std::int64_t kDepth = 384;
constexpr std::int64_t kStripCols = 6 * kTileCols;
constexpr std::int64_t kFewRows = 4 * kTileRows;  // so few are computed faster than b is packed

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

TK_AVX512 __mmask16 columns(std::int64_t n) {
  return static_cast<__mmask16>(n >= 16 ? 0xffff : n <= 0 ? 0 : (1 << n) - 1);
}

template <int Rows, int Vectors>
TK_AVX512 void run_tile(const Tile& t) {
  __mmask16 mask[Vectors];
#pragma GCC unroll 2
  for (int v = 0; v < Vectors; ++v) mask[v] = columns(t.cols - 16 * v);
  __m512 sum[Rows][Vectors];
#pragma GCC unroll 14
  for (int i = 0; i < Rows; ++i) {
#pragma GCC unroll 2
    for (int v = 0; v < Vectors; ++v) {
      const float* start = t.add ? t.y + i * t.y_row : t.bias;
      sum[i][v] = start != nullptr ? _mm512_maskz_loadu_ps(mask[v], start + 16 * v) : _mm512_setzero_ps();
      __builtin_prefetch(t.y + i * t.y_row + 16 * v, 1);
    }
  }
  const float* a = t.a;
  const float* b = t.b;
  for (std::int64_t p = 0; p < t.k; ++p) {
    __m512 row[Vectors];
#pragma GCC unroll 2
    for (int v = 0; v < Vectors; ++v) row[v] = _mm512_maskz_loadu_ps(mask[v], b + 16 * v);
#pragma GCC unroll 14
    for (int i = 0; i < Rows; ++i) {
      const __m512 x = _mm512_set1_ps(a[i * t.a_row]);
#pragma GCC unroll 2
      for (int v = 0; v < Vectors; ++v) sum[i][v] = _mm512_fmadd_ps(x, row[v], sum[i][v]);
    }
    a += t.a_col;
    b += t.b_row;
  }
  const __m512 alpha = _mm512_set1_ps(t.alpha);
#pragma GCC unroll 14
  for (int i = 0; i < Rows; ++i) {
#pragma GCC unroll 2
    for (int v = 0; v < Vectors; ++v) {
      _mm512_mask_storeu_ps(t.y + i * t.y_row + 16 * v, mask[v], _mm512_mul_ps(sum[i][v], alpha));
    }
  }
}

template <int Vectors>
void run_rows(const Tile& t, std::int64_t rows) {
  using Run = void (*)(const Tile&);
  static constexpr Run kRuns[kTileRows] = {
      run_tile<1, Vectors>,  run_tile<2, Vectors>,  run_tile<3, Vectors>,  run_tile<4, Vectors>, run_tile<5, Vectors>,
      run_tile<6, Vectors>,  run_tile<7, Vectors>,  run_tile<8, Vectors>,  run_tile<9, Vectors>, run_tile<10, Vectors>,
      run_tile<11, Vectors>, run_tile<12, Vectors>, run_tile<13, Vectors>, run_tile<14, Vectors>};
  kRuns[rows - 1](t);
}

void run(const Tile& t, std::int64_t rows) { t.cols > 16 ? run_rows<2>(t, rows) : run_rows<1>(t, rows); }

// Lane l of the result is four elements of column 4 l.
TK_AVX512 __m512 four_of_each(const float* const* column, std::int64_t p) {
  __m512 x = _mm512_castps128_ps512(_mm_loadu_ps(column[0] + p));
  x = _mm512_insertf32x4(x, _mm_loadu_ps(column[4] + p), 1);
  x = _mm512_insertf32x4(x, _mm_loadu_ps(column[8] + p), 2);
  return _mm512_insertf32x4(x, _mm_loadu_ps(column[12] + p), 3);
}

// to[p, c] = b[c, p] for 16 columns c, the last one in place of those that are missing.
TK_AVX512 void pack_transposed(float* to, const float* b, std::int64_t ldb, std::int64_t cols, std::int64_t k) {
  const float* column[16];
  for (std::int64_t c = 0; c < 16; ++c) column[c] = b + std::min(c, cols - 1) * ldb;
  std::int64_t p = 0;
  for (; p + 4 <= k; p += 4) {
    const __m512 x0 = four_of_each(column, p);
    const __m512 x1 = four_of_each(column + 1, p);
    const __m512 x2 = four_of_each(column + 2, p);
    const __m512 x3 = four_of_each(column + 3, p);
    const __m512 low01 = _mm512_unpacklo_ps(x0, x1);  // in each lane p of columns 0 and 1, then p + 1
    const __m512 low23 = _mm512_unpacklo_ps(x2, x3);
    const __m512 high01 = _mm512_unpackhi_ps(x0, x1);
    const __m512 high23 = _mm512_unpackhi_ps(x2, x3);
    _mm512_storeu_ps(to + p * kTileCols, _mm512_shuffle_ps(low01, low23, 0x44));
    _mm512_storeu_ps(to + (p + 1) * kTileCols, _mm512_shuffle_ps(low01, low23, 0xee));
    _mm512_storeu_ps(to + (p + 2) * kTileCols, _mm512_shuffle_ps(high01, high23, 0x44));
    _mm512_storeu_ps(to + (p + 3) * kTileCols, _mm512_shuffle_ps(high01, high23, 0xee));
  }
  for (; p < k; ++p) {
    for (std::int64_t c = 0; c < 16; ++c) to[p * kTileCols + c] = column[c][p];
  }
}

// to[p, c] = x[p, c] for at most 16 columns c, with rows of `stride`.
TK_AVX512 void pack_rows(float* to, std::int64_t stride, const float* x, std::int64_t ldx, std::int64_t cols,
                         std::int64_t k) {
  const __mmask16 mask = columns(cols);
  for (std::int64_t p = 0; p < k; ++p) {
    _mm512_mask_storeu_ps(to + p * stride, mask, _mm512_maskz_loadu_ps(mask, x + p * ldx));
  }
}

// Columns col to col + cols of y, of k the part from k0 on: what is computed with one packed part of b.
struct Part {
  std::int64_t col, cols, k0, k;
};

// b[p, 32 j + c] is data[j * panel + p * row + c].
struct Panels {
  const float* data;
  std::int64_t row, panel;
};

Panels panels_of_b(const Product<float>& p, const Part& part, float* scratch) {
  const float* b = p.b + (p.transpose_b ? part.col * p.ldb + part.k0 : part.k0 * p.ldb + part.col);
  if (!p.transpose_b && p.m <= kFewRows) return {b, p.ldb, kTileCols};
  const std::int64_t panel = part.k * kTileCols;
  for (std::int64_t col = 0; col < part.cols; col += 16) {
    float* to = scratch + col / kTileCols * panel + col % kTileCols;
    p.transpose_b ? pack_transposed(to, b + col * p.ldb, p.ldb, part.cols - col, part.k)
                  : pack_rows(to, kTileCols, b + col, p.ldb, part.cols - col, part.k);
  }
  return {scratch, kTileCols, panel};
}

// a[i, p] is data[i * row + p * col].
struct RowsOfA {
  const float* data;
  std::int64_t row, col;
};

RowsOfA rows_of_a(const Product<float>& p, const Part& part, std::int64_t i0, std::int64_t rows, float* scratch) {
  if (!p.transpose_a) return {p.a + i0 * p.lda + part.k0, p.lda, 1};
  const float* a = p.a + part.k0 * p.lda + i0;
  if (part.cols <= kTileCols) return {a, 1, p.lda};  // read once
  pack_rows(scratch, rows, a, p.lda, rows, part.k);
  return {scratch, 1, rows};
}

void compute(const Product<float>& p, const Part& part, float* scratch) {
  const Panels b = panels_of_b(p, part, scratch);
  const std::int64_t tiles = (p.m + kTileRows - 1) / kTileRows;
  for (std::int64_t t = 0; t < tiles; ++t) {
    const std::int64_t i0 = p.m * t / tiles;
    const std::int64_t rows = p.m * (t + 1) / tiles - i0;
    const RowsOfA a = rows_of_a(p, part, i0, rows, scratch + kDepth * kStripCols);
    for (std::int64_t j = 0; j * kTileCols < part.cols; ++j) {
      const std::int64_t col = part.col + j * kTileCols;
      run({.a = a.data,
           .a_row = a.row,
           .a_col = a.col,
           .b = b.data + j * b.panel,
           .b_row = b.row,
           .k = part.k,
           .y = p.y + i0 * p.ldy + col,
           .y_row = p.ldy,
           .cols = std::min(kTileCols, p.n - col),
           .add = p.add || part.k0 > 0,
           .bias = p.bias != nullptr ? p.bias + col : nullptr,
           .alpha = part.k0 + part.k == p.k ? p.alpha : 1.0f},
          rows);
    }
  }
}

bool decide() {
  const std::string core = blas_core();
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
         (core == "SkylakeX" || core == "Cooperlake" || core == "SapphireRapids");
}

}  // namespace

bool has_avx512_gemm() {
  static const bool has = decide();
  return has;
}

Pieces avx512_pieces(const Product<float>& p) {
  const std::int64_t cols = p.transpose_a ? kStripCols : kStripCols / 2;
  const std::int64_t wide = std::max<std::int64_t>(1, (p.n + cols - 1) / cols);
  const std::int64_t tall = (2 * num_threads() + wide - 1) / wide;
  return {
      .rows = std::max(kFewRows, (p.m + tall - 1) / tall), .cols = cols, .row_unit = kTileRows, .col_unit = kTileCols};
}

void gemm_avx512(const Product<float>& p, float* scratch) {
  for (std::int64_t col = 0; col < p.n; col += kStripCols) {
    const std::int64_t cols = std::min(kStripCols, p.n - col);
    for (std::int64_t k0 = 0; k0 == 0 || k0 < p.k; k0 += kDepth) {
      compute(p, {.col = col, .cols = cols, .k0 = k0, .k = std::min(kDepth, p.k - k0)}, scratch);
    }
  }
}

std::int64_t gemm_avx512_scratch() { return kDepth * (kStripCols + kTileRows); }

}  // namespace tk::cpu

#else

namespace tk::cpu {

bool has_avx512_gemm() { return false; }
Pieces avx512_pieces(const Product<float>&) { return {}; }
void gemm_avx512(const Product<float>&, float*) {}
std::int64_t gemm_avx512_scratch() { return 0; }

}  // namespace tk::cpu

#endif
