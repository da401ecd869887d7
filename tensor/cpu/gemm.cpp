#include "tensor/cpu/gemm.h"

#include <omp.h>

#include <algorithm>
#include <type_traits>

#include "tensor/cpu/blas.h"
#include "tensor/cpu/gemm_avx512.h"

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
  GemmScratch<T> scratch;
  for_pieces(p, pieces, scratch.threads(), [&](const Product<T>& piece) { gemm(piece, scratch.mine()); });
}

template <class T>
bool is_by_blas() {
  return std::is_same_v<T, double> || !has_avx512_gemm();
}

int blas_threads() { return std::min(omp_get_max_threads(), most_blas_threads()); }

}  // namespace

template <class T>
GemmScratch<T>::GemmScratch()
    : threads_(is_by_blas<T>() ? blas_threads() : omp_get_max_threads()),
      own_(is_by_blas<T>() ? 0 : gemm_avx512_scratch()),
      blas_(is_by_blas<T>() ? threads_ : 0) {}

template class GemmScratch<float>;
template class GemmScratch<double>;

void parallel_gemm(const Product<float>& p) { in_pieces(p, is_by_blas<float>() ? kBlasPieces : avx512_pieces(p)); }

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

void gemm(const Product<float>& p, float* scratch) {
  is_by_blas<float>() ? blas_with_bias(p) : gemm_avx512(p, scratch);
}

void gemm(const Product<double>& p, double*) { blas_with_bias(p); }

}  // namespace tk::cpu
