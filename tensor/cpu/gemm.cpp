#include "tensor/cpu/gemm.h"

#include <cblas.h>

#include <algorithm>

#include "tensor/cpu/gemm_avx512.h"
#include "tensor/cpu/parallel.h"

namespace tk::cpu {
namespace {

CBLAS_TRANSPOSE stored(bool transposed) { return transposed ? CblasTrans : CblasNoTrans; }

// BLAS wants a leading stride of at least 1, also of an empty matrix.
int leading(std::int64_t stride) { return static_cast<int>(std::max<std::int64_t>(1, stride)); }

void blas(const Product<float>& p) {
  cblas_sgemm(CblasRowMajor, stored(p.transpose_a), stored(p.transpose_b), static_cast<int>(p.m), static_cast<int>(p.n),
              static_cast<int>(p.k), p.alpha, p.a, leading(p.lda), p.b, leading(p.ldb), p.add ? 1.0f : 0.0f, p.y,
              leading(p.ldy));
}

void blas(const Product<double>& p) {
  cblas_dgemm(CblasRowMajor, stored(p.transpose_a), stored(p.transpose_b), static_cast<int>(p.m), static_cast<int>(p.n),
              static_cast<int>(p.k), p.alpha, p.a, leading(p.lda), p.b, leading(p.ldb), p.add ? 1.0 : 0.0, p.y,
              leading(p.ldy));
}

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

// Always inside a parallel region, also for one piece: outside of one BLAS would thread by itself, and its bits would
// follow the thread count.
template <class T>
void in_pieces(const Product<T>& p, const Pieces& pieces) {
  const Cuts rows(p.m, pieces.rows, pieces.row_unit);
  const Cuts cols(p.n, pieces.cols, pieces.col_unit);
  ThreadScratch<T> scratch(gemm_scratch<T>());
#pragma omp parallel for schedule(dynamic, 1)
  for (std::int64_t i = 0; i < rows.count * cols.count; ++i) {
    const std::int64_t r = i % rows.count;
    const std::int64_t c = i / rows.count;
    gemm(piece_of(p, rows.at(r), rows.at(r + 1), cols.at(c), cols.at(c + 1)), scratch.mine());
  }
}

}  // namespace

void parallel_gemm(const Product<float>& p) { in_pieces(p, has_avx512_gemm() ? avx512_pieces(p) : kBlasPieces); }

void parallel_gemm(const Product<double>& p) { in_pieces(p, kBlasPieces); }

void gemm(const Product<float>& p, float* scratch) { has_avx512_gemm() ? gemm_avx512(p, scratch) : blas_with_bias(p); }

void gemm(const Product<double>& p, double*) { blas_with_bias(p); }

template <>
std::int64_t gemm_scratch<float>() {
  return has_avx512_gemm() ? gemm_avx512_scratch() : 0;
}

template <>
std::int64_t gemm_scratch<double>() {
  return 0;
}

}  // namespace tk::cpu
