#include "tensor/threads.h"

#include <cblas.h>
#include <omp.h>

#include <atomic>

#include "tensor/error.h"

namespace tk {

namespace {

// OpenMP keeps a number for each thread, and one that begins has the environment's.
std::atomic<int> of_process = 0;  // 0: nobody chose one
thread_local int adopted = 0;     // that of the process which this thread's OpenMP was told
thread_local bool has_own = false;

void tell_openmp(int n) {
  omp_set_dynamic(0);
  omp_set_num_threads(n);
}

}  // namespace

void adopt_num_threads() {
  const int n = of_process.load(std::memory_order_relaxed);
  if (n == adopted || has_own) return;
  adopted = n;
  tell_openmp(n);
}

int num_threads() {
  adopt_num_threads();
  return omp_get_max_threads();
}

void set_num_threads(int n) {
  TK_CHECK(n >= 1, "set_num_threads: expected at least 1, got ", n);
  of_process = n;
  adopt_num_threads();
}

void set_own_num_threads(int n) {
  TK_CHECK(n >= 1, "set_own_num_threads: expected at least 1, got ", n);
  has_own = true;
  tell_openmp(n);
}

std::string blas_info() { return openblas_get_config(); }

std::string blas_core() { return openblas_get_corename(); }

bool blas_uses_openmp() {
  constexpr int kOpenMp = 2;
  return openblas_get_parallel() == kOpenMp;
}

}  // namespace tk
