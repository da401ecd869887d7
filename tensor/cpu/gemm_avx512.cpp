#include "tensor/cpu/gemm_tiles.h"

#if defined(__x86_64__)
#include <immintrin.h>

// A tile is 14 rows by 32 columns, in 28 of 32 registers: a row of b is two loads.
namespace tk::cpu {
namespace {

#define TK_AVX512 __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,fma")))

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
  static constexpr Run kRuns[] = {
      run_tile<1, Vectors>,  run_tile<2, Vectors>,  run_tile<3, Vectors>,  run_tile<4, Vectors>, run_tile<5, Vectors>,
      run_tile<6, Vectors>,  run_tile<7, Vectors>,  run_tile<8, Vectors>,  run_tile<9, Vectors>, run_tile<10, Vectors>,
      run_tile<11, Vectors>, run_tile<12, Vectors>, run_tile<13, Vectors>, run_tile<14, Vectors>};
  kRuns[rows - 1](t);
}

// Lane l of the result is four elements of column 4 l.
TK_AVX512 __m512 four_of_each(const float* const* column, std::int64_t p) {
  __m512 x = _mm512_castps128_ps512(_mm_loadu_ps(column[0] + p));
  x = _mm512_insertf32x4(x, _mm_loadu_ps(column[4] + p), 1);
  x = _mm512_insertf32x4(x, _mm_loadu_ps(column[8] + p), 2);
  return _mm512_insertf32x4(x, _mm_loadu_ps(column[12] + p), 3);
}

struct Avx512 {
  static constexpr std::int64_t kTileRows = 14, kTileCols = 32, kLanes = 16;
  static constexpr std::int64_t kDepth = 384, kStripCols = 6 * kTileCols;

  static void run(const Tile& t, std::int64_t rows) { t.cols > 16 ? run_rows<2>(t, rows) : run_rows<1>(t, rows); }

  // to[p, c] = b[c, p] for 16 columns c, the last one in place of those that are missing.
  static TK_AVX512 void pack_transposed(float* to, const float* b, std::int64_t ldb, std::int64_t cols,
                                        std::int64_t k) {
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
  static TK_AVX512 void pack_rows(float* to, std::int64_t stride, const float* x, std::int64_t ldx, std::int64_t cols,
                                  std::int64_t k) {
    const __mmask16 mask = columns(cols);
    for (std::int64_t p = 0; p < k; ++p) {
      _mm512_mask_storeu_ps(to + p * stride, mask, _mm512_maskz_loadu_ps(mask, x + p * ldx));
    }
  }
};

}  // namespace

const TileProducts* avx512_products() { return &kTileProducts<Avx512>; }

}  // namespace tk::cpu

#else

namespace tk::cpu {

const TileProducts* avx512_products() { return nullptr; }

}  // namespace tk::cpu

#endif
