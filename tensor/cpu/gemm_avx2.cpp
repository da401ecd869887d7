#include "tensor/cpu/gemm_tiles.h"

#if defined(__x86_64__)
#include <immintrin.h>

// A tile is 6 rows by 16 columns, in 12 of 16 registers: a row of b is two loads.
namespace tk::cpu {
namespace {

#define TK_AVX2 __attribute__((target("avx2,fma")))

// The first n of 8 columns.
TK_AVX2 __m256i columns(std::int64_t n) {
  const __m256i index = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(n)), index);
}

enum class Width : std::uint8_t { kFull, kPart };  // a part of the columns is masked, which costs

template <Width W>
TK_AVX2 __m256 load(const float* x, __m256i mask) {
  if constexpr (W == Width::kFull) {
    return _mm256_loadu_ps(x);
  } else {
    return _mm256_maskload_ps(x, mask);
  }
}

template <Width W>
TK_AVX2 void store(float* y, __m256i mask, __m256 x) {
  if constexpr (W == Width::kFull) {
    _mm256_storeu_ps(y, x);
  } else {
    _mm256_maskstore_ps(y, mask, x);
  }
}

template <int Rows, int Vectors, Width W>
TK_AVX2 void run_tile(const Tile& t) {
  __m256i mask[Vectors];
#pragma GCC unroll 2
  for (int v = 0; v < Vectors; ++v) mask[v] = columns(t.cols - 8 * v);
  __m256 sum[Rows][Vectors];
#pragma GCC unroll 6
  for (int i = 0; i < Rows; ++i) {
#pragma GCC unroll 2
    for (int v = 0; v < Vectors; ++v) {
      const float* start = t.add ? t.y + i * t.y_row : t.bias;
      sum[i][v] = start != nullptr ? load<W>(start + 8 * v, mask[v]) : _mm256_setzero_ps();
      __builtin_prefetch(t.y + i * t.y_row + 8 * v, 1);
    }
  }
  const float* a = t.a;
  const float* b = t.b;
  for (std::int64_t p = 0; p < t.k; ++p) {
    __m256 row[Vectors];
#pragma GCC unroll 2
    for (int v = 0; v < Vectors; ++v) row[v] = load<W>(b + 8 * v, mask[v]);
#pragma GCC unroll 6
    for (int i = 0; i < Rows; ++i) {
      const __m256 x = _mm256_broadcast_ss(a + i * t.a_row);
#pragma GCC unroll 2
      for (int v = 0; v < Vectors; ++v) sum[i][v] = _mm256_fmadd_ps(x, row[v], sum[i][v]);
    }
    a += t.a_col;
    b += t.b_row;
  }
  const __m256 alpha = _mm256_set1_ps(t.alpha);
#pragma GCC unroll 6
  for (int i = 0; i < Rows; ++i) {
#pragma GCC unroll 2
    for (int v = 0; v < Vectors; ++v) {
      store<W>(t.y + i * t.y_row + 8 * v, mask[v], _mm256_mul_ps(sum[i][v], alpha));
    }
  }
}

template <int Vectors, Width W>
void run_rows(const Tile& t, std::int64_t rows) {
  using Run = void (*)(const Tile&);
  static constexpr Run kRuns[] = {run_tile<1, Vectors, W>, run_tile<2, Vectors, W>, run_tile<3, Vectors, W>,
                                  run_tile<4, Vectors, W>, run_tile<5, Vectors, W>, run_tile<6, Vectors, W>};
  kRuns[rows - 1](t);
}

// Lane l of the result is four elements of column 4 l.
TK_AVX2 __m256 four_of_each(const float* const* column, std::int64_t p) {
  return _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(column[0] + p)), _mm_loadu_ps(column[4] + p), 1);
}

struct Avx2 {
  static constexpr std::int64_t kTileRows = 6, kTileCols = 16, kLanes = 8;
  static constexpr std::int64_t kDepth = 384, kStripCols = 12 * kTileCols;

  static void run(const Tile& t, std::int64_t rows) {
    t.cols == kTileCols ? run_rows<2, Width::kFull>(t, rows)
    : t.cols > kLanes   ? run_rows<2, Width::kPart>(t, rows)
                        : run_rows<1, Width::kPart>(t, rows);
  }

  // to[p, c] = b[c, p] for 8 columns c, the last one in place of those that are missing.
  static TK_AVX2 void pack_transposed(float* to, const float* b, std::int64_t ldb, std::int64_t cols, std::int64_t k) {
    const float* column[kLanes];
    for (std::int64_t c = 0; c < kLanes; ++c) column[c] = b + std::min(c, cols - 1) * ldb;
    std::int64_t p = 0;
    for (; p + 4 <= k; p += 4) {
      const __m256 x0 = four_of_each(column, p);
      const __m256 x1 = four_of_each(column + 1, p);
      const __m256 x2 = four_of_each(column + 2, p);
      const __m256 x3 = four_of_each(column + 3, p);
      const __m256 low01 = _mm256_unpacklo_ps(x0, x1);  // in each lane p of columns 0 and 1, then p + 1
      const __m256 low23 = _mm256_unpacklo_ps(x2, x3);
      const __m256 high01 = _mm256_unpackhi_ps(x0, x1);
      const __m256 high23 = _mm256_unpackhi_ps(x2, x3);
      _mm256_storeu_ps(to + p * kTileCols, _mm256_shuffle_ps(low01, low23, 0x44));
      _mm256_storeu_ps(to + (p + 1) * kTileCols, _mm256_shuffle_ps(low01, low23, 0xee));
      _mm256_storeu_ps(to + (p + 2) * kTileCols, _mm256_shuffle_ps(high01, high23, 0x44));
      _mm256_storeu_ps(to + (p + 3) * kTileCols, _mm256_shuffle_ps(high01, high23, 0xee));
    }
    for (; p < k; ++p) {
      for (std::int64_t c = 0; c < kLanes; ++c) to[p * kTileCols + c] = column[c][p];
    }
  }

  // to[p, c] = x[p, c] for at most 8 columns c, with rows of `stride`. No store is masked: some processors take tens of
  // cycles for one.
  static TK_AVX2 void pack_rows(float* to, std::int64_t stride, const float* x, std::int64_t ldx, std::int64_t cols,
                                std::int64_t k) {
    if (cols >= kLanes) {
      for (std::int64_t p = 0; p < k; ++p) _mm256_storeu_ps(to + p * stride, _mm256_loadu_ps(x + p * ldx));
      return;
    }
    cols >= 4 ? pack_halves(to, stride, x, ldx, cols, k) : pack_elements(to, stride, x, ldx, cols, k);
  }

 private:
  // 4 to 7 columns, in two halves that overlap.
  static TK_AVX2 void pack_halves(float* to, std::int64_t stride, const float* x, std::int64_t ldx, std::int64_t cols,
                                  std::int64_t k) {
    const std::int64_t last = cols - 4;
    for (std::int64_t p = 0; p < k; ++p) {
      const __m128 low = _mm_loadu_ps(x + p * ldx), high = _mm_loadu_ps(x + p * ldx + last);
      _mm_storeu_ps(to + p * stride, low);
      _mm_storeu_ps(to + p * stride + last, high);
    }
  }
  static void pack_elements(float* to, std::int64_t stride, const float* x, std::int64_t ldx, std::int64_t cols,
                            std::int64_t k) {
    for (std::int64_t p = 0; p < k; ++p) {
      for (std::int64_t c = 0; c < cols; ++c) to[p * stride + c] = x[p * ldx + c];
    }
  }
};

}  // namespace

const TileProducts* avx2_products() { return &kTileProducts<Avx2>; }

}  // namespace tk::cpu

#else

namespace tk::cpu {

const TileProducts* avx2_products() { return nullptr; }

}  // namespace tk::cpu

#endif
