#include "tensor/cpu/gemm_tiles.h"

#if defined(__x86_64__)
#include <immintrin.h>

#include "tensor/cpu/amx_tiles.h"

// Products of factors that are rounded to bfloat16, to nearest even, as they are packed: pairs of neighbours along k in
// 32 bits, rows of a beside each other, and b as panels of 32 columns [pairs, 32]. What is missing of the last 16 pairs
// is zeros. A tile of y is at most 32 columns wide; its sums are float32.
namespace tk::cpu {
namespace {

#define TK_BF16 __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,fma")))
#define TK_AMX __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,fma,amx-tile,amx-bf16")))

using Pair = std::uint32_t;

constexpr std::int64_t kTileCols = 32;
constexpr std::int64_t kBlock = 16;  // pairs
constexpr std::int64_t kDepth = 1536;
constexpr std::int64_t kStripCols = 8 * kTileCols;
constexpr std::int64_t kMostPairs = kDepth / 2;

std::int64_t padded_pairs(std::int64_t k) { return (k + 2 * kBlock - 1) / (2 * kBlock) * kBlock; }

TK_BF16 __mmask16 first(std::int64_t n) { return static_cast<__mmask16>(n >= 16 ? 0xffff : n <= 0 ? 0 : (1 << n) - 1); }

// The pairs of n floats, at most 32, that lie beside each other.
TK_BF16 __m512i pairs_along(const float* x, std::int64_t n) {
  const __m512 low = _mm512_maskz_loadu_ps(first(n), x);
  const __m512 high = _mm512_maskz_loadu_ps(first(n - 16), x + 16);
  return (__m512i)_mm512_cvtne2ps_pbh(high, low);
}

// The pairs of two rows in at most 16 columns; of rows that there are not, zeros.
TK_BF16 __m512i pairs_across(const float* x, std::int64_t stride, std::int64_t rows, std::int64_t cols) {
  const auto row = [&](std::int64_t r) TK_BF16 {
    const __m512 values = rows > r ? _mm512_maskz_loadu_ps(first(cols), x + r * stride) : _mm512_setzero_ps();
    return _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(values));
  };
  return _mm512_or_si512(row(0), _mm512_slli_epi32(row(1), 16));
}

TK_BF16 void transpose(__m512i (&r)[16]) {
  __m512i t[16];
#pragma GCC unroll 8
  for (int i = 0; i < 16; i += 2) {
    t[i] = _mm512_unpacklo_epi32(r[i], r[i + 1]);
    t[i + 1] = _mm512_unpackhi_epi32(r[i], r[i + 1]);
  }
  // Lane l of r[4 i + c] becomes column 4 l + c of rows 4 i to 4 i + 3.
#pragma GCC unroll 4
  for (int i = 0; i < 16; i += 4) {
    r[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
    r[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
    r[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
    r[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
  }
#pragma GCC unroll 4
  for (int c = 0; c < 4; ++c) {
    const __m512i even0 = _mm512_shuffle_i32x4(r[c], r[c + 4], 0x88);
    const __m512i odd0 = _mm512_shuffle_i32x4(r[c], r[c + 4], 0xdd);
    const __m512i even1 = _mm512_shuffle_i32x4(r[c + 8], r[c + 12], 0x88);
    const __m512i odd1 = _mm512_shuffle_i32x4(r[c + 8], r[c + 12], 0xdd);
    r[c] = _mm512_shuffle_i32x4(even0, even1, 0x88);
    r[c + 4] = _mm512_shuffle_i32x4(odd0, odd1, 0x88);
    r[c + 8] = _mm512_shuffle_i32x4(even0, even1, 0xdd);
    r[c + 12] = _mm512_shuffle_i32x4(odd0, odd1, 0xdd);
  }
}

// Columns col to col + cols of y, of k the part from k0 on: what is computed with one packed part of b.
struct Part {
  std::int64_t col, cols, k0, k;
  std::int64_t pairs() const { return padded_pairs(k); }
};

// 16 columns of a panel, of b as it lies.
TK_BF16 void pack_across(Pair* to, const float* b, std::int64_t ldb, std::int64_t cols, std::int64_t k) {
  for (std::int64_t p = 0; p < padded_pairs(k); ++p) {
    _mm512_storeu_si512(to + p * kTileCols, pairs_across(b + 2 * p * ldb, ldb, k - 2 * p, cols));
  }
}

// 16 lines of x along k, transposed: to[p, i], rows `stride` apart.
TK_BF16 void pack_along(Pair* to, std::int64_t stride, const float* x, std::int64_t ldx, std::int64_t lines,
                        std::int64_t k) {
  for (std::int64_t p = 0; p < padded_pairs(k); p += kBlock) {
    __m512i r[16];
#pragma GCC unroll 16
    for (int i = 0; i < 16; ++i) {
      r[i] = i < lines ? pairs_along(x + i * ldx + 2 * p, k - 2 * p) : _mm512_setzero_si512();
    }
    transpose(r);
#pragma GCC unroll 16
    for (int i = 0; i < 16; ++i) _mm512_storeu_si512(to + (p + i) * stride, r[i]);
  }
}

void pack_b(const Product<float>& product, const Part& part, Pair* to) {
  const std::int64_t ldb = product.ldb;
  for (std::int64_t c = 0; c < part.cols; c += 16) {
    Pair* const panel = to + c / kTileCols * part.pairs() * kTileCols + c % kTileCols;
    const std::int64_t col = part.col + c;
    product.transpose_b ? pack_along(panel, kTileCols, product.b + col * ldb + part.k0, ldb, part.cols - c, part.k)
                        : pack_across(panel, product.b + part.k0 * ldb + col, ldb, part.cols - c, part.k);
  }
}

// Rows i0 to i0 + rows of a.
TK_BF16 void pack_a(const Product<float>& product, const Part& part, std::int64_t i0, std::int64_t rows, Pair* to) {
  const std::int64_t pairs = part.pairs(), lda = product.lda;
  if (!product.transpose_a) {
    for (std::int64_t i = 0; i < rows; ++i) {
      const float* row = product.a + (i0 + i) * lda + part.k0;
      for (std::int64_t p = 0; p < pairs; p += kBlock) {
        _mm512_storeu_si512(to + i * pairs + p, pairs_along(row + 2 * p, part.k - 2 * p));
      }
    }
    return;
  }
  const float* a = product.a + part.k0 * lda + i0;
  for (std::int64_t i = 0; i < rows; i += 16) {
    for (std::int64_t p = 0; p < pairs; p += kBlock) {
      __m512i r[16];
#pragma GCC unroll 16
      for (int q = 0; q < 16; ++q) {
        r[q] = pairs_across(a + 2 * (p + q) * lda + i, lda, part.k - 2 * (p + q), rows - i);
      }
      transpose(r);
#pragma GCC unroll 16
      for (int q = 0; q < 16; ++q) _mm512_storeu_si512(to + (i + q) * pairs + p, r[q]);
    }
  }
}

// y[i, j] = alpha (start + sum over p of a[i, p] b[p, j]); start is the y of before (`add`), the bias or 0.
struct PairTile {
  const Pair* a;  // rows `pairs` apart
  const Pair* b;
  std::int64_t pairs, rows, cols;
  float* y;
  std::int64_t y_row;
  bool add;
  const float* bias;
  float alpha;

  const float* start(std::int64_t i) const { return add ? y + i * y_row : bias; }
};

template <int Rows, int Vectors>
TK_BF16 void run_rows(const PairTile& t, std::int64_t i0) {
  __m512 sum[Rows][Vectors];
#pragma GCC unroll 14
  for (int i = 0; i < Rows; ++i) {
#pragma GCC unroll 2
    for (int v = 0; v < Vectors; ++v) {
      const float* start = t.start(i0 + i);
      sum[i][v] =
          start != nullptr ? _mm512_maskz_loadu_ps(first(t.cols - 16 * v), start + 16 * v) : _mm512_setzero_ps();
    }
  }
  const Pair* a = t.a + i0 * t.pairs;
  const Pair* b = t.b;
  for (std::int64_t p = 0; p < t.pairs; ++p) {
    __m512bh row[Vectors];
#pragma GCC unroll 2
    for (int v = 0; v < Vectors; ++v) row[v] = (__m512bh)_mm512_loadu_si512(b + 16 * v);
#pragma GCC unroll 14
    for (int i = 0; i < Rows; ++i) {
      const __m512bh x = (__m512bh)_mm512_set1_epi32(static_cast<int>(a[i * t.pairs]));
#pragma GCC unroll 2
      for (int v = 0; v < Vectors; ++v) sum[i][v] = _mm512_dpbf16_ps(sum[i][v], x, row[v]);
    }
    ++a;
    b += kTileCols;
  }
  const __m512 alpha = _mm512_set1_ps(t.alpha);
#pragma GCC unroll 14
  for (int i = 0; i < Rows; ++i) {
#pragma GCC unroll 2
    for (int v = 0; v < Vectors; ++v) {
      _mm512_mask_storeu_ps(t.y + (i0 + i) * t.y_row + 16 * v, first(t.cols - 16 * v), _mm512_mul_ps(sum[i][v], alpha));
    }
  }
}

// By dot products of pairs, which are added to a sum one after the other.
struct Avx512Bf16 {
  static constexpr std::int64_t kTileRows = 14, kStripBytes = 1 << 19;

  static void begin() {}
  static void end() {}

  static void run(const PairTile& t, float* /*sums*/) { t.cols > 16 ? run_all<2>(t) : run_all<1>(t); }

 private:
  template <int Vectors>
  static void run_all(const PairTile& t) {
    using Run = void (*)(const PairTile&, std::int64_t);
    static constexpr Run kRuns[] = {run_rows<1, Vectors>,  run_rows<2, Vectors>,  run_rows<3, Vectors>,
                                    run_rows<4, Vectors>,  run_rows<5, Vectors>,  run_rows<6, Vectors>,
                                    run_rows<7, Vectors>,  run_rows<8, Vectors>,  run_rows<9, Vectors>,
                                    run_rows<10, Vectors>, run_rows<11, Vectors>, run_rows<12, Vectors>,
                                    run_rows<13, Vectors>, run_rows<14, Vectors>};
    kRuns[t.rows - 1](t, 0);
  }
};

template <Halves R, Halves C>
TK_AMX void sum_pairs(const PairTile& t, float* sums) {
  constexpr bool two_rows = R == Halves::kBoth, two_cols = C == Halves::kBoth;
  const std::int64_t a_bytes = t.pairs * 4;
  _tile_zero(0);
  if constexpr (two_cols) _tile_zero(1);
  if constexpr (two_rows) _tile_zero(2);
  if constexpr (two_rows && two_cols) _tile_zero(3);
  for (std::int64_t p = 0; p < t.pairs; p += kBlock) {
    _tile_loadd(4, t.a + p, a_bytes);
    _tile_loadd(6, t.b + p * kTileCols, kTileCols * 4);
    _tile_dpbf16ps(0, 4, 6);
    if constexpr (two_cols) {
      _tile_loadd(7, t.b + p * kTileCols + 16, kTileCols * 4);
      _tile_dpbf16ps(1, 4, 7);
    }
    if constexpr (two_rows) {
      _tile_loadd(5, t.a + 16 * t.pairs + p, a_bytes);
      _tile_dpbf16ps(2, 5, 6);
    }
    if constexpr (two_rows && two_cols) _tile_dpbf16ps(3, 5, 7);
  }
  _tile_stored(0, sums, kTileCols * 4);
  if constexpr (two_cols) _tile_stored(1, sums + 16, kTileCols * 4);
  if constexpr (two_rows) _tile_stored(2, sums + 16 * kTileCols, kTileCols * 4);
  if constexpr (two_rows && two_cols) _tile_stored(3, sums + 16 * kTileCols + 16, kTileCols * 4);
}

// By tiles, which add 16 pairs to a sum at once.
struct Amx {
  static constexpr std::int64_t kTileRows = 32, kStripBytes = 1 << 20;

  static TK_AMX void begin() { _tile_loadconfig(&kTileConfig); }
  static TK_AMX void end() { _tile_release(); }

  static TK_BF16 void run(const PairTile& t, float* sums) {
    t.rows > 16 ? sum_rows<Halves::kBoth>(t, sums) : sum_rows<Halves::kOne>(t, sums);
    const __m512 alpha = _mm512_set1_ps(t.alpha);
    for (std::int64_t i = 0; i < t.rows; ++i) {
      const float* start = t.start(i);
      for (std::int64_t c = 0; c < t.cols; c += 16) {
        const __mmask16 mask = first(t.cols - c);
        __m512 sum = _mm512_loadu_ps(sums + i * kTileCols + c);
        if (start != nullptr) sum = _mm512_add_ps(sum, _mm512_maskz_loadu_ps(mask, start + c));
        _mm512_mask_storeu_ps(t.y + i * t.y_row + c, mask, _mm512_mul_ps(sum, alpha));
      }
    }
  }

 private:
  template <Halves R>
  static void sum_rows(const PairTile& t, float* sums) {
    t.cols > 16 ? sum_pairs<R, Halves::kBoth>(t, sums) : sum_pairs<R, Halves::kOne>(t, sums);
  }
};

template <class K>
class PairLoops {
 public:
  static constexpr std::int64_t kA = K::kTileRows + 15;  // rows: the last 16 are packed at once
  static constexpr std::int64_t kScratch = kMostPairs * (kStripCols + kA) + K::kTileRows * kTileCols;

  static void gemm(const Product<float>& p, float* scratch) {
    const std::int64_t strip = strip_cols(p);
    K::begin();
    for (std::int64_t col = 0; col < p.n; col += strip) {
      const std::int64_t cols = std::min(strip, p.n - col);
      for (std::int64_t k0 = 0; k0 == 0 || k0 < p.k; k0 += kDepth) {
        compute(p, {.col = col, .cols = cols, .k0 = k0, .k = std::min(kDepth, p.k - k0)}, scratch);
      }
    }
    K::end();
  }

  static Pieces pieces(const Product<float>& p) {
    const std::int64_t strip = strip_cols(p);
    const std::int64_t wide = std::max<std::int64_t>(1, (p.n + strip - 1) / strip);
    const std::int64_t tall = (2 * num_threads() + wide - 1) / wide;
    return {.rows = std::max(2 * K::kTileRows, (p.m + tall - 1) / tall),
            .cols = strip,
            .row_unit = K::kTileRows,
            .col_unit = kTileCols};
  }

  static std::int64_t packed_size(std::int64_t k, std::int64_t n) { return padded_pairs(k) * padded_cols(n); }

  static void pack(const Product<float>& p, float* to) {
    for_each_panel(p.k, p.n, kDepth, kTileCols,
                   [&](std::int64_t k0, std::int64_t k, std::int64_t col, std::int64_t cols) {
                     const Part part{.col = col, .cols = cols, .k0 = k0, .k = k};
                     pack_b(p, part, reinterpret_cast<Pair*>(to) + offset(p.n, part, col));
                   });
  }

 private:
  // Columns whose part of b stays in the L2 cache. a is packed once for each: the fewer, the better.
  static std::int64_t strip_cols(const Product<float>& p) {
    if (p.packed.data == nullptr) return kStripCols;
    const std::int64_t bytes_of_column = 2 * std::max<std::int64_t>(1, std::min(p.k, kDepth));
    return std::max(kStripCols, K::kStripBytes / bytes_of_column / kTileCols * kTileCols);
  }

  static std::int64_t padded_cols(std::int64_t n) { return (n + kTileCols - 1) / kTileCols * kTileCols; }

  // Of the panel of column `col` in a packed b of n columns.
  static std::int64_t offset(std::int64_t n, const Part& part, std::int64_t col) {
    return part.k0 / 2 * padded_cols(n) + col * part.pairs();
  }

  static void compute(const Product<float>& p, const Part& part, float* scratch) {
    Pair* const own_b = reinterpret_cast<Pair*>(scratch);
    Pair* const a = own_b + kMostPairs * kStripCols;
    float* const sums = scratch + kMostPairs * (kStripCols + kA);
    const Pair* b = own_b;
    if (p.packed.data != nullptr) {
      b = reinterpret_cast<const Pair*>(p.packed.data) + offset(p.packed.cols, part, p.packed.first + part.col);
    } else {
      pack_b(p, part, own_b);
    }
    const std::int64_t tiles = (p.m + K::kTileRows - 1) / K::kTileRows;
    for (std::int64_t t = 0; t < tiles; ++t) {
      const std::int64_t i0 = p.m * t / tiles;
      const std::int64_t rows = p.m * (t + 1) / tiles - i0;
      pack_a(p, part, i0, rows, a);
      for (std::int64_t c = 0; c < part.cols; c += kTileCols) {
        const std::int64_t col = part.col + c;
        K::run({.a = a,
                .b = b + c * part.pairs(),
                .pairs = part.pairs(),
                .rows = rows,
                .cols = std::min(kTileCols, p.n - col),
                .y = p.y + i0 * p.ldy + col,
                .y_row = p.ldy,
                .add = p.add || part.k0 > 0,
                .bias = p.bias != nullptr && !p.activation ? p.bias + col : nullptr,
                .alpha = part.k0 + part.k == p.k ? p.alpha : 1.0F},
               sums);
      }
      if (part.k0 + part.k == p.k) activate(p, {i0, i0 + rows, part.col, part.col + part.cols});
    }
  }
};

template <class K>
constexpr TileProducts kProducts = {&PairLoops<K>::gemm, PairLoops<K>::kScratch, &PairLoops<K>::pieces,
                                    &PairLoops<K>::packed_size, &PairLoops<K>::pack};

}  // namespace

const TileProducts* avx512_bf16_products() { return &kProducts<Avx512Bf16>; }
const TileProducts* amx_bf16_products() { return &kProducts<Amx>; }

}  // namespace tk::cpu

#else

namespace tk::cpu {

const TileProducts* avx512_bf16_products() { return nullptr; }
const TileProducts* amx_bf16_products() { return nullptr; }

}  // namespace tk::cpu

#endif
