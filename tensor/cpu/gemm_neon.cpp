#include "tensor/cpu/gemm_tiles.h"

#if defined(__aarch64__)
#include <arm_neon.h>

// A tile is 6 rows by 16 columns, in 24 of 32 registers: a row of b is four loads.
namespace tk::cpu {
namespace {

constexpr std::int64_t kWidth = 4;

// The first n of 4 columns.
float32x4_t load(const float* x, std::int64_t n) {
  if (n >= kWidth) return vld1q_f32(x);
  float columns[kWidth] = {};
  for (std::int64_t c = 0; c < n; ++c) columns[c] = x[c];
  return vld1q_f32(columns);
}

void store(float* y, std::int64_t n, float32x4_t x) {
  if (n >= kWidth) return vst1q_f32(y, x);
  float columns[kWidth];
  vst1q_f32(columns, x);
  for (std::int64_t c = 0; c < n; ++c) y[c] = columns[c];
}

template <int Rows, int Vectors>
void run_tile(const Tile& t) {
  const bool full = t.cols == Vectors * kWidth;
  std::int64_t columns[Vectors];  // a constant where all are there
#pragma GCC unroll 4
  for (int v = 0; v < Vectors; ++v) columns[v] = full ? kWidth : t.cols - kWidth * v;
  float32x4_t sum[Rows][Vectors];
#pragma GCC unroll 6
  for (int i = 0; i < Rows; ++i) {
    const float* start = t.add ? t.y + i * t.y_row : t.bias;
#pragma GCC unroll 4
    for (int v = 0; v < Vectors; ++v) {
      sum[i][v] = start != nullptr ? load(start + kWidth * v, columns[v]) : vdupq_n_f32(0);
    }
  }
  const float* a = t.a;
  const float* b = t.b;
  const auto step = [&](const float32x4_t(&row)[Vectors]) {
#pragma GCC unroll 6
    for (int i = 0; i < Rows; ++i) {
      const float32x4_t x = vld1q_dup_f32(a + i * t.a_row);
#pragma GCC unroll 4
      for (int v = 0; v < Vectors; ++v) sum[i][v] = vfmaq_f32(sum[i][v], x, row[v]);
    }
    a += t.a_col;
    b += t.b_row;
  };
  float32x4_t row[Vectors];
  if (full) {
    for (std::int64_t p = 0; p < t.k; ++p) {
#pragma GCC unroll 4
      for (int v = 0; v < Vectors; ++v) row[v] = vld1q_f32(b + kWidth * v);
      step(row);
    }
  } else {
    for (std::int64_t p = 0; p < t.k; ++p) {
#pragma GCC unroll 4
      for (int v = 0; v < Vectors; ++v) row[v] = load(b + kWidth * v, columns[v]);
      step(row);
    }
  }
#pragma GCC unroll 6
  for (int i = 0; i < Rows; ++i) {
#pragma GCC unroll 4
    for (int v = 0; v < Vectors; ++v) {
      store(t.y + i * t.y_row + kWidth * v, columns[v], vmulq_n_f32(sum[i][v], t.alpha));
    }
  }
}

template <int Vectors>
void run_rows(const Tile& t, std::int64_t rows) {
  using Run = void (*)(const Tile&);
  static constexpr Run kRuns[] = {run_tile<1, Vectors>, run_tile<2, Vectors>, run_tile<3, Vectors>,
                                  run_tile<4, Vectors>, run_tile<5, Vectors>, run_tile<6, Vectors>};
  kRuns[rows - 1](t);
}

struct Neon {
  static constexpr std::int64_t kTileRows = 6, kTileCols = 16, kLanes = 8;  // two vectors
  static constexpr std::int64_t kDepth = 384, kStripCols = 8 * kTileCols;

  static void run(const Tile& t, std::int64_t rows) {
    using Run = void (*)(const Tile&, std::int64_t);
    static constexpr Run kRuns[] = {run_rows<1>, run_rows<2>, run_rows<3>, run_rows<4>};
    kRuns[(t.cols - 1) / kWidth](t, rows);
  }

  // to[p, c] = b[c, p] for 8 columns c, the last one in place of those that are missing.
  static void pack_transposed(float* to, const float* b, std::int64_t ldb, std::int64_t cols, std::int64_t k) {
    for (std::int64_t first = 0; first < kLanes; first += kWidth) {
      const float* column[kWidth];
      for (std::int64_t c = 0; c < kWidth; ++c) column[c] = b + std::min(first + c, cols - 1) * ldb;
      std::int64_t p = 0;
      for (; p + kWidth <= k; p += kWidth) {
        float rows[kWidth * kWidth];
        vst4q_f32(rows, {{vld1q_f32(column[0] + p), vld1q_f32(column[1] + p), vld1q_f32(column[2] + p),
                          vld1q_f32(column[3] + p)}});  // which transposes
        for (std::int64_t r = 0; r < kWidth; ++r) {
          vst1q_f32(to + (p + r) * kTileCols + first, vld1q_f32(rows + r * kWidth));
        }
      }
      for (; p < k; ++p) {
        for (std::int64_t c = 0; c < kWidth; ++c) to[p * kTileCols + first + c] = column[c][p];
      }
    }
  }

  // to[p, c] = x[p, c] for at most 8 columns c, with rows of `stride`.
  static void pack_rows(float* to, std::int64_t stride, const float* x, std::int64_t ldx, std::int64_t cols,
                        std::int64_t k) {
    for (std::int64_t p = 0; p < k; ++p) {
      for (std::int64_t c = 0; c < std::min(cols, kLanes); c += kWidth) {
        store(to + p * stride + c, cols - c, load(x + p * ldx + c, cols - c));
      }
    }
  }
};

}  // namespace

const TileProducts* neon_products() { return &kTileProducts<Neon>; }

}  // namespace tk::cpu

#else

namespace tk::cpu {

const TileProducts* neon_products() { return nullptr; }

}  // namespace tk::cpu

#endif
