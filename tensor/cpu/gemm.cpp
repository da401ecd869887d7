#include "tensor/cpu/gemm.h"

#include <omp.h>

#include <algorithm>
#include <type_traits>

#include "tensor/cpu/blas.h"
#include "tensor/cpu/gemm_tiles.h"
#include "tensor/cpu_isa.h"
#include "tensor/error.h"
#include "tensor/precision.h"

namespace tk::cpu {
namespace {

template <class T>
void blas_with_bias(Product<T> p) {
  if (p.bias != nullptr) {
    for (std::int64_t i = 0; i < p.m; ++i) std::copy(p.bias, p.bias + p.n, p.y + i * p.ldy);
    p.add = true;
  }
  blas(p);
}

// BLAS' bits follow the shape of a piece, so its pieces follow the shape of y alone.
constexpr Pieces kBlasPieces{.rows = 192, .cols = 192, .row_unit = 24, .col_unit = 16};

// [0, n) in nearly equal parts of at most `most`, cut at multiples of `unit`.
struct Cuts {
  std::int64_t n, unit, units, count;
  Cuts(std::int64_t size, std::int64_t most, std::int64_t multiple)
      : n(size), unit(multiple), units((n + unit - 1) / unit), count((units * unit + most - 1) / most) {}
  std::int64_t at(std::int64_t i) const { return std::min(n, units * i / count * unit); }
};

template <class T>
Product<T> piece_of(Product<T> p, std::int64_t i0, std::int64_t i1, std::int64_t j0, std::int64_t j1) {
  p.a += p.transpose_a ? i0 : i0 * p.lda;
  p.b += p.transpose_b ? j0 * p.ldb : j0;
  p.y += i0 * p.ldy + j0;
  if (p.bias != nullptr) p.bias += j0;
  p.packed.first += j0;
  p.m = i1 - i0;
  p.n = j1 - j0;
  return p;
}

template <class T, class F>
void for_pieces(const Product<T>& p, const Pieces& pieces, int threads, F&& f) {
  const Cuts rows(p.m, pieces.rows, pieces.row_unit);
  const Cuts cols(p.n, pieces.cols, pieces.col_unit);
#pragma omp parallel for schedule(dynamic, 1) num_threads(threads)
  for (std::int64_t i = 0; i < rows.count * cols.count; ++i) {
    const std::int64_t r = i % rows.count;
    const std::int64_t c = i / rows.count;
    f(piece_of(p, rows.at(r), rows.at(r + 1), cols.at(c), cols.at(c + 1)));
  }
}

template <class T>
void in_pieces(const Product<T>& p, const Pieces& pieces) {
  Gemm<T> gemm;
  for_pieces(p, pieces, gemm.threads(), [&](const Product<T>& piece) { gemm(piece); });
}

int blas_threads() { return std::min(omp_get_max_threads(), most_blas_threads()); }

template <class T>
const TileProducts* tiles_for() {
  return std::is_same_v<T, double> ? nullptr : tile_products();
}

}  // namespace

const TileProducts* tile_products() {
  const CpuIsa isa = cpu_isa();
  if (product_precision() == ProductPrecision::kBFloat16) {
    TK_CHECK(isa >= CpuIsa::kAvx512Bf16, "products of bfloat16 need AVX512_BF16 or AMX, and these run on ", name(isa));
    return isa >= CpuIsa::kAmx ? amx_bf16_products() : avx512_bf16_products();
  }
  return isa >= CpuIsa::kAvx512 ? avx512_products() : isa == CpuIsa::kAvx2 ? avx2_products() : nullptr;
}

template <class T>
Gemm<T>::Gemm() : Gemm(tiles_for<T>()) {}

template <class T>
Gemm<T>::Gemm(const TileProducts* tiles)
    : tiles_(tiles),
      threads_(tiles == nullptr ? blas_threads() : omp_get_max_threads()),
      scratch_(tiles == nullptr ? 0 : tiles->scratch),
      blas_(tiles == nullptr ? threads_ : 0) {}

template <class T>
void Gemm<T>::operator()(const Product<T>& p) {
  if constexpr (std::is_same_v<T, float>) {
    if (tiles_ != nullptr) return tiles_->gemm(p, scratch_.mine());
  }
  blas_with_bias(p);
}

template class Gemm<float>;
template class Gemm<double>;

void parallel_gemm(const Product<float>& p) {
  const TileProducts* tiles = tile_products();
  in_pieces(p, tiles == nullptr ? kBlasPieces : tiles->pieces(p));
}

void parallel_gemm(const Product<double>& p) { in_pieces(p, kBlasPieces); }

void parallel_blas(const Product<float>& p) {
  const int threads = blas_threads();
  const BlasBuffers buffers(threads);
  const Pieces slabs{.rows = std::max<std::int64_t>(1, (p.m + threads - 1) / threads),
                     .cols = std::max<std::int64_t>(1, p.n),
                     .row_unit = 1,
                     .col_unit = 1};
  for_pieces(p, slabs, threads, [](const Product<float>& piece) { blas_with_bias(piece); });
}

}  // namespace tk::cpu
