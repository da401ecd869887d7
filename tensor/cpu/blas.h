#pragma once

namespace tk::cpu {

template <class T>
struct Product;

/// A product by BLAS, in the calling thread alone, whichever region it is in. Whoever calls has BlasBuffers.
void blas(const Product<float>& p);
void blas(const Product<double>& p);

/// How many threads may be in BLAS at once: what the library was built for.
int most_blas_threads();

/// BLAS' working memory for that many threads at once, there as long as this lives. Throws tk::Error where the system
/// does not give it: asked by BLAS itself, the library would try for ever.
class BlasBuffers {
 public:
  explicit BlasBuffers(int threads);
  ~BlasBuffers();
  BlasBuffers(const BlasBuffers&) = delete;
  BlasBuffers& operator=(const BlasBuffers&) = delete;

 private:
  int threads_;
};

}  // namespace tk::cpu
