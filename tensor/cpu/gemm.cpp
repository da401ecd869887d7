#include "tensor/cpu/gemm.h"

#include <algorithm>
#include <type_traits>

#include "tensor/cpu/bias_activation_row.h"
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

template <class T>
Product<T> piece_of(Product<T> p, const Piece& piece) {
  p.a += p.transpose_a ? piece.i0 : piece.i0 * p.lda;
  p.b += p.transpose_b ? piece.j0 * p.ldb : piece.j0;
  p.y += piece.i0 * p.ldy + piece.j0;
  if (p.bias != nullptr) p.bias += piece.j0;
  p.packed.first += piece.j0;
  p.m = piece.i1 - piece.i0;
  p.n = piece.j1 - piece.j0;
  return p;
}

template <class T>
void in_pieces(const Product<T>& p, const Pieces& pieces) {
  Gemm<T> gemm;
  for_pieces(p.m, p.n, pieces, threads_for(p.m * p.n * p.k, gemm.threads()),
             [&](const Piece& piece) { gemm(piece_of(p, piece)); });
}

int blas_threads() { return std::min(num_threads(), most_blas_threads()); }

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
  if (isa == CpuIsa::kNeon) return neon_products();
  return isa >= CpuIsa::kAvx512 ? avx512_products() : isa >= CpuIsa::kAvx2 ? avx2_products() : nullptr;
}

template <class T>
Gemm<T>::Gemm() : Gemm(tiles_for<T>()) {}

template <class T>
Gemm<T>::Gemm(const TileProducts* tiles)
    : tiles_(tiles),
      threads_(tiles == nullptr ? blas_threads() : num_threads()),
      scratch_(tiles == nullptr ? 0 : tiles->scratch),
      blas_(tiles == nullptr ? threads_ : 0) {}

template <class T>
void Gemm<T>::operator()(const Product<T>& p) {
  if constexpr (std::is_same_v<T, float>) {
    if (tiles_ != nullptr) return tiles_->gemm(p, scratch_.mine());
  }
  blas_with_bias(p);
}

void activate(const Product<float>& p, const Piece& part) {
  if (!p.activation) return;
  dispatch_activation(*p.activation, [&]<class F>() {
    for (std::int64_t i = part.i0; i < part.i1; ++i) {
      float* const y = p.y + i * p.ldy + part.j0;
      bias_activation_row<F>(y, y, p.bias + part.j0, part.j1 - part.j0);
    }
  });
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
  for_pieces(p.m, p.n, slabs, threads, [&](const Piece& piece) { blas_with_bias(piece_of(p, piece)); });
}

}  // namespace tk::cpu
