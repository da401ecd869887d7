#pragma once

#include <cstdint>

namespace tk::cpu {

/// y[m, n] = alpha a b, or y + a b where `add` is set, or a b + bias where one is given (then alpha is 1). a is [m, k]
/// and b is [k, n]; each is stored transposed where its flag says so. Rows lie a leading stride apart.
template <class T>
struct Product {
  std::int64_t m = 0, n = 0, k = 0;
  const T* a = nullptr;
  std::int64_t lda = 0;
  bool transpose_a = false;
  const T* b = nullptr;
  std::int64_t ldb = 0;
  bool transpose_b = false;
  T* y = nullptr;
  std::int64_t ldy = 0;
  bool add = false;
  const T* bias = nullptr;  // [n]
  T alpha = 1;
};

/// How y is cut into pieces, each one product of one thread: at most `rows` by `cols`, at multiples of the units.
struct Pieces {
  std::int64_t rows, cols, row_unit, col_unit;
};

/// By all threads; the bits do not depend on how many there are.
void parallel_gemm(const Product<float>& p);
void parallel_gemm(const Product<double>& p);

/// By the calling thread alone, which is inside a parallel region. `scratch` has gemm_scratch<T>() elements.
void gemm(const Product<float>& p, float* scratch);
void gemm(const Product<double>& p, double* scratch);
template <class T>
std::int64_t gemm_scratch();

}  // namespace tk::cpu
