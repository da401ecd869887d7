#include "tensor/threads.h"

#include <cblas.h>
#include <omp.h>

#include "tensor/error.h"

namespace tk {

int num_threads() { return omp_get_max_threads(); }

void set_num_threads(int n) {
  TK_CHECK(n >= 1, "set_num_threads: expected at least 1, got ", n);
  omp_set_dynamic(0);
  omp_set_num_threads(n);
}

std::string blas_info() { return openblas_get_config(); }

std::string blas_core() { return openblas_get_corename(); }

bool blas_uses_openmp() {
  constexpr int kOpenMp = 2;
  return openblas_get_parallel() == kOpenMp;
}

}  // namespace tk
