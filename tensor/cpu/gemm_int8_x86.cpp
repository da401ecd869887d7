#include "tensor/cpu/gemm_int8.h"

#if defined(__x86_64__)
#include <immintrin.h>

#include <cstring>

#include "tensor/cpu/amx_tiles.h"

namespace tk::cpu {
namespace {

#define TK_AVX2 __attribute__((target("avx2,fma")))
#define TK_AVX_VNNI __attribute__((target("avx2,fma,avxvnni")))
#define TK_AVX512 __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,fma")))
#define TK_AVX512_VNNI __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,fma")))
#define TK_AMX_INT8 __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,fma,amx-tile,amx-int8")))

// Sums have the type that instructions add in: GCC keeps an array of __m256i, whose elements are read as another type,
// in memory.
using Sums8 [[gnu::vector_size(32)]] = int;
using Sums16 [[gnu::vector_size(64)]] = int;

// 8 columns from c on of row i.
TK_AVX2 void store(const Int8Tile& t, std::int64_t i, std::int64_t c, __m256i sum) {
  const __m256i index = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  const __m256i mask = _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(t.cols - c)), index);
  const __m256 x = _mm256_mul_ps(_mm256_cvtepi32_ps(sum), _mm256_broadcast_ss(t.x_scale + i));
  const __m256 scale = _mm256_maskload_ps(t.scale + c, mask);
  const __m256 y =
      t.bias != nullptr ? _mm256_fmadd_ps(x, scale, _mm256_maskload_ps(t.bias + c, mask)) : _mm256_mul_ps(x, scale);
  _mm256_maskstore_ps(t.y + i * t.y_row + c, mask, y);
}

// The int16 of four columns times a quad.
TK_AVX2 __m256i load_widened(const std::int8_t* w) {
  return _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(w)));
}

// A tile is 6 rows by 8 columns. Sums of pairs of int16 (vpmaddwd) cannot saturate, as those of pairs of int8
// (vpmaddubsw) do, and rows are widened once: as many instructions as with what would keep those from it.
template <int Rows>
TK_AVX2 void run_avx2(const Int8Tile& t) {
  Sums8 sum[Rows][2];  // of the first and the last four columns, two sums for each
#pragma GCC unroll 6
  for (int i = 0; i < Rows; ++i) sum[i][0] = sum[i][1] = Sums8{};
  const auto* q = static_cast<const std::int16_t*>(t.q);
  const std::int8_t* w = t.w;
  for (std::int64_t p = 0; p < t.quads; ++p) {
    const __m256i first = load_widened(w), last = load_widened(w + 4 * kQuad);
#pragma GCC unroll 6
    for (int i = 0; i < Rows; ++i) {
      const __m256i x = _mm256_broadcastq_epi64(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(q + i * t.q_row)));
      sum[i][0] += (Sums8)_mm256_madd_epi16(x, first);
      sum[i][1] += (Sums8)_mm256_madd_epi16(x, last);
    }
    q += kQuad;
    w += kPanelCols * kQuad;
  }
#pragma GCC unroll 6
  for (int i = 0; i < Rows; ++i) {
    // Columns 0, 1, 4, 5, 2, 3, 6, 7.
    store(t, i, 0, _mm256_permute4x64_epi64(_mm256_hadd_epi32((__m256i)sum[i][0], (__m256i)sum[i][1]), 0xd8));
  }
}

struct Avx2 {
  using Element = std::int16_t;
  static constexpr int kShift = 0;
  static constexpr std::int64_t kTileRows = 6, kTileCols = 8;

  static void begin() {}
  static void end() {}

  static void run(const Int8Tile& t) {
    using Run = void (*)(const Int8Tile&);
    static constexpr Run kRuns[] = {run_avx2<1>, run_avx2<2>, run_avx2<3>, run_avx2<4>, run_avx2<5>, run_avx2<6>};
    kRuns[t.rows - 1](t);
  }
};

TK_AVX2 __m256i load(const void* x) { return _mm256_loadu_si256(static_cast<const __m256i*>(x)); }

// The quad of a row, q + 128, in all columns.
TK_AVX2 int quad(const void* q) {
  int four;
  std::memcpy(&four, q, sizeof four);
  return four;
}

// A tile is 6 rows by 16 columns.
template <int Rows>
TK_AVX_VNNI void run_avx_vnni(const Int8Tile& t) {
  Sums8 sum[Rows][2];
#pragma GCC unroll 6
  for (int i = 0; i < Rows; ++i) {
    sum[i][0] = (Sums8)load(t.start);
    sum[i][1] = (Sums8)load(t.start + 8);
  }
  const auto* q = static_cast<const std::uint8_t*>(t.q);
  const std::int8_t* w = t.w;
  for (std::int64_t p = 0; p < t.quads; ++p) {
    const __m256i first = load(w), last = load(w + 8 * kQuad);
#pragma GCC unroll 6
    for (int i = 0; i < Rows; ++i) {
      const __m256i x = _mm256_set1_epi32(quad(q + i * t.q_row));
      sum[i][0] = (Sums8)_mm256_dpbusd_avx_epi32((__m256i)sum[i][0], x, first);
      sum[i][1] = (Sums8)_mm256_dpbusd_avx_epi32((__m256i)sum[i][1], x, last);
    }
    q += kQuad;
    w += kPanelCols * kQuad;
  }
#pragma GCC unroll 6
  for (int i = 0; i < Rows; ++i) {
    store(t, i, 0, (__m256i)sum[i][0]);
    store(t, i, 8, (__m256i)sum[i][1]);
  }
}

struct AvxVnni {
  using Element = std::uint8_t;
  static constexpr int kShift = 128;
  static constexpr std::int64_t kTileRows = 6, kTileCols = 16;

  static void begin() {}
  static void end() {}

  static void run(const Int8Tile& t) {
    using Run = void (*)(const Int8Tile&);
    static constexpr Run kRuns[] = {run_avx_vnni<1>, run_avx_vnni<2>, run_avx_vnni<3>,
                                    run_avx_vnni<4>, run_avx_vnni<5>, run_avx_vnni<6>};
    kRuns[t.rows - 1](t);
  }
};

// 16 columns from c on of row i.
TK_AVX512 void store(const Int8Tile& t, std::int64_t i, std::int64_t c, __m512i sum) {
  const std::int64_t n = t.cols - c;
  const auto mask = static_cast<__mmask16>(n >= 16 ? 0xffff : (1 << n) - 1);
  const __m512 x = _mm512_mul_ps(_mm512_cvtepi32_ps(sum), _mm512_set1_ps(t.x_scale[i]));
  const __m512 scale = _mm512_maskz_loadu_ps(mask, t.scale + c);
  const __m512 y =
      t.bias != nullptr ? _mm512_fmadd_ps(x, scale, _mm512_maskz_loadu_ps(mask, t.bias + c)) : _mm512_mul_ps(x, scale);
  _mm512_mask_storeu_ps(t.y + i * t.y_row + c, mask, y);
}

// As for AVX2, in tiles of 14 rows by 16 columns.
template <int Rows>
TK_AVX512 void run_avx512(const Int8Tile& t) {
  Sums16 sum[Rows][2];  // of the first and the last eight columns, two sums for each
#pragma GCC unroll 14
  for (int i = 0; i < Rows; ++i) sum[i][0] = sum[i][1] = Sums16{};
  const auto* q = static_cast<const std::int16_t*>(t.q);
  const std::int8_t* w = t.w;
  for (std::int64_t p = 0; p < t.quads; ++p) {
    const __m512i first = _mm512_cvtepi8_epi16(load(w)), last = _mm512_cvtepi8_epi16(load(w + 8 * kQuad));
#pragma GCC unroll 14
    for (int i = 0; i < Rows; ++i) {
      const __m512i x = _mm512_broadcastq_epi64(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(q + i * t.q_row)));
      sum[i][0] += (Sums16)_mm512_madd_epi16(x, first);
      sum[i][1] += (Sums16)_mm512_madd_epi16(x, last);
    }
    q += kQuad;
    w += kPanelCols * kQuad;
  }
  const __m512i even = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
  const __m512i odd = _mm512_add_epi32(even, _mm512_set1_epi32(1));
#pragma GCC unroll 14
  for (int i = 0; i < Rows; ++i) {
    const __m512i a = (__m512i)sum[i][0], b = (__m512i)sum[i][1];
    store(t, i, 0, _mm512_add_epi32(_mm512_permutex2var_epi32(a, even, b), _mm512_permutex2var_epi32(a, odd, b)));
  }
}

struct Avx512 {
  using Element = std::int16_t;
  static constexpr int kShift = 0;
  static constexpr std::int64_t kTileRows = 14, kTileCols = 16;

  static void begin() {}
  static void end() {}

  static void run(const Int8Tile& t) {
    using Run = void (*)(const Int8Tile&);
    static constexpr Run kRuns[] = {run_avx512<1>,  run_avx512<2>,  run_avx512<3>,  run_avx512<4>, run_avx512<5>,
                                    run_avx512<6>,  run_avx512<7>,  run_avx512<8>,  run_avx512<9>, run_avx512<10>,
                                    run_avx512<11>, run_avx512<12>, run_avx512<13>, run_avx512<14>};
    kRuns[t.rows - 1](t);
  }
};

// A tile is 14 rows by 32 columns.
template <int Rows, int Panels>
TK_AVX512_VNNI void run_avx512_vnni(const Int8Tile& t) {
  Sums16 sum[Rows][Panels];
#pragma GCC unroll 14
  for (int i = 0; i < Rows; ++i) {
#pragma GCC unroll 2
    for (int v = 0; v < Panels; ++v) sum[i][v] = (Sums16)_mm512_loadu_si512(t.start + v * kPanelCols);
  }
  const auto* q = static_cast<const std::uint8_t*>(t.q);
  const std::int8_t* w = t.w;
  for (std::int64_t p = 0; p < t.quads; ++p) {
    __m512i column[Panels];
#pragma GCC unroll 2
    for (int v = 0; v < Panels; ++v) column[v] = _mm512_loadu_si512(w + v * t.panel);
#pragma GCC unroll 14
    for (int i = 0; i < Rows; ++i) {
      const __m512i x = _mm512_set1_epi32(quad(q + i * t.q_row));
#pragma GCC unroll 2
      for (int v = 0; v < Panels; ++v) sum[i][v] = (Sums16)_mm512_dpbusd_epi32((__m512i)sum[i][v], x, column[v]);
    }
    q += kQuad;
    w += kPanelCols * kQuad;
  }
#pragma GCC unroll 14
  for (int i = 0; i < Rows; ++i) {
#pragma GCC unroll 2
    for (int v = 0; v < Panels; ++v) store(t, i, v * kPanelCols, (__m512i)sum[i][v]);
  }
}

struct Avx512Vnni {
  using Element = std::uint8_t;
  static constexpr int kShift = 128;
  static constexpr std::int64_t kTileRows = 14, kTileCols = 32;

  static void begin() {}
  static void end() {}

  static void run(const Int8Tile& t) { t.cols > kPanelCols ? run_rows<2>(t) : run_rows<1>(t); }

 private:
  template <int Panels>
  static void run_rows(const Int8Tile& t) {
    using Run = void (*)(const Int8Tile&);
    static constexpr Run kRuns[] = {
        run_avx512_vnni<1, Panels>,  run_avx512_vnni<2, Panels>,  run_avx512_vnni<3, Panels>,
        run_avx512_vnni<4, Panels>,  run_avx512_vnni<5, Panels>,  run_avx512_vnni<6, Panels>,
        run_avx512_vnni<7, Panels>,  run_avx512_vnni<8, Panels>,  run_avx512_vnni<9, Panels>,
        run_avx512_vnni<10, Panels>, run_avx512_vnni<11, Panels>, run_avx512_vnni<12, Panels>,
        run_avx512_vnni<13, Panels>, run_avx512_vnni<14, Panels>};
    kRuns[t.rows - 1](t);
  }
};

// A step along k is 16 quads.
template <Halves R, Halves C>
TK_AMX_INT8 void sum_tiles(const Int8Tile& t, std::int32_t* sums) {
  constexpr bool two_rows = R == Halves::kBoth, two_cols = C == Halves::kBoth;
  constexpr int kRowBytes = 2 * kPanelCols * sizeof(std::int32_t), kHalf = 16;
  const auto* q = static_cast<const std::int8_t*>(t.q);
  _tile_zero(0);
  if constexpr (two_cols) _tile_zero(1);
  if constexpr (two_rows) _tile_zero(2);
  if constexpr (two_rows && two_cols) _tile_zero(3);
  for (std::int64_t p = 0; p < t.quads * kQuad; p += kDepthUnit) {
    _tile_loadd(4, q + p, t.q_row);
    _tile_loadd(6, t.w + p * kPanelCols, kDepthUnit);
    _tile_dpbssd(0, 4, 6);
    if constexpr (two_cols) {
      _tile_loadd(7, t.w + t.panel + p * kPanelCols, kDepthUnit);
      _tile_dpbssd(1, 4, 7);
    }
    if constexpr (two_rows) {
      _tile_loadd(5, q + kHalf * t.q_row + p, t.q_row);
      _tile_dpbssd(2, 5, 6);
    }
    if constexpr (two_rows && two_cols) _tile_dpbssd(3, 5, 7);
  }
  _tile_stored(0, sums, kRowBytes);
  if constexpr (two_cols) _tile_stored(1, sums + kPanelCols, kRowBytes);
  if constexpr (two_rows) _tile_stored(2, sums + kHalf * 2 * kPanelCols, kRowBytes);
  if constexpr (two_rows && two_cols) _tile_stored(3, sums + kHalf * 2 * kPanelCols + kPanelCols, kRowBytes);
}

struct Amx {
  using Element = std::int8_t;
  static constexpr int kShift = 0;
  static constexpr std::int64_t kTileRows = 32, kTileCols = 32;

  static TK_AMX_INT8 void begin() { _tile_loadconfig(&kTileConfig); }
  static TK_AMX_INT8 void end() { _tile_release(); }

  static TK_AVX512_VNNI void run(const Int8Tile& t) {
    alignas(64) std::int32_t sums[kTileRows * kTileCols];
    t.rows > 16 ? sum_rows<Halves::kBoth>(t, sums) : sum_rows<Halves::kOne>(t, sums);
    for (std::int64_t i = 0; i < t.rows; ++i) {
      for (std::int64_t c = 0; c < t.cols; c += kPanelCols) {
        store(t, i, c, _mm512_load_si512(sums + i * kTileCols + c));
      }
    }
  }

 private:
  template <Halves R>
  static void sum_rows(const Int8Tile& t, std::int32_t* sums) {
    t.cols > kPanelCols ? sum_tiles<R, Halves::kBoth>(t, sums) : sum_tiles<R, Halves::kOne>(t, sums);
  }
};

}  // namespace

const Int8Kernel& avx2_int8() { return kInt8Kernel<Avx2>; }
const Int8Kernel& avx_vnni_int8() { return kInt8Kernel<AvxVnni>; }
const Int8Kernel& avx512_int8() { return kInt8Kernel<Avx512>; }
const Int8Kernel& avx512_vnni_int8() { return kInt8Kernel<Avx512Vnni>; }
const Int8Kernel& amx_int8() { return kInt8Kernel<Amx>; }

}  // namespace tk::cpu

#else

namespace tk::cpu {

const Int8Kernel& avx2_int8() { return plain_int8(); }
const Int8Kernel& avx_vnni_int8() { return plain_int8(); }
const Int8Kernel& avx512_int8() { return plain_int8(); }
const Int8Kernel& avx512_vnni_int8() { return plain_int8(); }
const Int8Kernel& amx_int8() { return plain_int8(); }

}  // namespace tk::cpu

#endif
