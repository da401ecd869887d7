#include "tensor/cpu/gemm_int8.h"

#include <bit>
#include <cmath>
#include <cstring>

#include "tensor/cpu/parallel.h"
#include "tensor/cpu_isa.h"

namespace tk::cpu {
namespace {

// The compiler's vectors, of whatever width the processor has: the quads of four columns.
template <class T>
using Quads [[gnu::vector_size(16 * sizeof(T))]] = T;

// The sums of 16 columns of one row.
TK_SIMD void sum_quads(std::int32_t* sums, const std::int8_t* q, const std::int8_t* w, std::int64_t quads) {
  constexpr int kVectors = 4;
  Quads<std::int32_t> places[kVectors] = {};
  for (std::int64_t p = 0; p < quads; ++p) {
    std::int32_t quad;
    std::memcpy(&quad, q + p * kQuad, sizeof quad);
    const std::int32_t four[] = {quad, quad, quad, quad};
    const auto x = __builtin_convertvector(std::bit_cast<Quads<std::int8_t>>(four), Quads<std::int16_t>);
    for (int v = 0; v < kVectors; ++v) {
      Quads<std::int8_t> columns;
      std::memcpy(&columns, w + (p * kVectors + v) * 16, sizeof columns);
      const auto products = x * __builtin_convertvector(columns, Quads<std::int16_t>);  // at most 127 * 128
      places[v] += __builtin_convertvector(products, Quads<std::int32_t>);
    }
  }
  for (std::int64_t c = 0; c < kPanelCols; ++c) {
    const Quads<std::int32_t>& all = places[c / 4];
    const std::int64_t first = c % 4 * kQuad;
    sums[c] = all[first] + all[first + 1] + all[first + 2] + all[first + 3];
  }
}

template <class F>
TK_SIMD void activate_row(float* y, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) y[i] = F::forward(y[i]);
}

struct Plain {
  using Element = std::int8_t;
  static constexpr int kShift = 0;
  static constexpr std::int64_t kTileRows = 8, kTileCols = kPanelCols;

  static void begin() {}
  static void end() {}

  static void run(const Int8Tile& t) {
    for (std::int64_t i = 0; i < t.rows; ++i) {
      std::int32_t sums[kPanelCols];
      sum_quads(sums, static_cast<const std::int8_t*>(t.q) + i * t.q_row, t.w, t.quads);
      for (std::int64_t c = 0; c < t.cols; ++c) {
        const float x = static_cast<float>(sums[c]) * t.x_scale[i];
        t.y[i * t.y_row + c] = t.bias != nullptr ? std::fma(x, t.scale[c], t.bias[c]) : x * t.scale[c];
      }
    }
  }
};

}  // namespace

void pack_int8(std::int8_t* panels, std::int32_t* start, const std::int8_t* w, std::int64_t n, std::int64_t k) {
  const std::int64_t depth = padded(k, kDepthUnit);
  const std::int64_t count = padded(n, kPanelCols) / kPanelCols;
  parallel_for(count, n * k >= thread_grain() ? num_threads() : 1, [&](std::int64_t j) {
    std::int8_t* panel = panels + j * kPanelCols * depth;
    std::memset(panel, 0, static_cast<std::size_t>(kPanelCols * depth));
    for (std::int64_t c = 0; c < kPanelCols; ++c) {
      const std::int64_t row = j * kPanelCols + c;
      std::int32_t sum = 0;
      for (std::int64_t p = 0; row < n && p < k; ++p) {
        sum += w[row * k + p];
        panel[(p / kQuad * kPanelCols + c) * kQuad + p % kQuad] = w[row * k + p];
      }
      start[row] = -128 * sum;
    }
  });
}

void activate(const Int8Product& p, const Piece& part) {
  if (!p.activation) return;
  dispatch_activation(*p.activation, [&]<class F>() {
    for (std::int64_t i = part.i0; i < part.i1; ++i) activate_row<F>(p.y + i * p.n + part.j0, part.j1 - part.j0);
  });
}

const Int8Kernel& plain_int8() { return kInt8Kernel<Plain>; }

const Int8Kernel& int8_kernel() {
  const CpuIsa isa = cpu_isa();
  if (isa >= CpuIsa::kAmx) return amx_int8();
  if (isa >= CpuIsa::kAvx512Vnni) return avx512_vnni_int8();
  if (isa == CpuIsa::kAvx512) return avx512_int8();
  if (isa == CpuIsa::kAvxVnni) return avx_vnni_int8();
  return isa >= CpuIsa::kAvx2 ? avx2_int8() : plain_int8();
}

void quantize(const Int8Rows& to, const Int8Product& p, const Int8Kernel& kernel, std::int64_t i) {
  const std::int64_t row_bytes = padded(p.k, kDepthUnit) * kernel.element, used = p.k * kernel.element;
  std::byte* row = to.q + i * row_bytes;
  const std::int64_t from = p.rows != nullptr ? std::max(p.rows[i], 0) : i;
  to.scale[i] = kernel.quantize(row, p.x + from * p.ldx, p.k);
  std::memset(row + used, 0, static_cast<std::size_t>(row_bytes - used));
}

void parallel_gemm(const Int8Product& p, const Int8Kernel& kernel) {
  Scratch<std::byte> q(Int8Rows::bytes(p.m, p.k, kernel));
  Scratch<float> x_scale(p.m);
  const Int8Rows rounded{q.data(), x_scale.data()};
  parallel_rows(p.m, p.k, [&](std::int64_t i) { quantize(rounded, p, kernel, i); });
  for_pieces(p.m, p.n, kernel.pieces(p), threads_for(p.m * p.n * p.k / 4, num_threads()),
             [&](const Piece& piece) { kernel.gemm(p, q.data(), x_scale.data(), piece); });
}

}  // namespace tk::cpu
