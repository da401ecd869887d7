#pragma once

#include <cstdint>
#include <optional>

#include "tensor/activation.h"
#include "tensor/cpu/blas.h"
#include "tensor/cpu/parallel.h"
#include "tensor/cpu/pieces.h"

namespace tk::cpu {

/// b as tiles read it, packed for many products (TileProducts::pack), of `cols` columns; a product's are those from
/// `first` on.
struct PackedFactor {
  const float* data = nullptr;
  std::int64_t cols = 0, first = 0;
};

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
  PackedFactor packed = {};                   // in place of b; the tiles' of those that packed it
  std::optional<Activation> activation = {};  // y = f(a b + bias), the bits of bias_activation; where b is packed
};

struct TileProducts;

/// The tiles that the calling thread's products run on now; null: BLAS computes them.
const TileProducts* tile_products();

/// By all threads; the bits do not depend on how many there are.
void parallel_gemm(const Product<float>& p);
void parallel_gemm(const Product<double>& p);
/// By all threads and BLAS alone, in pieces as large as can be: what it does at best. The bits follow the threads.
void parallel_blas(const Product<float>& p);

/// Products by one thread each, in a kernel's loop of at most `threads()`. Made before the loop by the thread that asks
/// for the kernel, whose product_precision() holds. Throws tk::Error where memory runs out.
template <class T>
class Gemm {
 public:
  Gemm();
  int threads() const { return threads_; }
  /// By the calling thread alone.
  void operator()(const Product<T>& p);

 private:
  explicit Gemm(const TileProducts* tiles);

  const TileProducts* tiles_;  // null: by BLAS
  int threads_;
  ThreadScratch<T> scratch_;
  BlasBuffers blas_;
};

}  // namespace tk::cpu
