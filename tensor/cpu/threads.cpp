#include "tensor/threads.h"

#include <cblas.h>
#include <omp.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <thread>
#include <vector>

#include "tensor/cpu/gemm.h"
#include "tensor/error.h"
#include "tensor/parallel_for.h"

namespace tk {

namespace {

// OpenMP keeps a number for each thread, and one that begins has the environment's.
std::atomic<int> of_process = 0;  // 0: nobody chose one
thread_local int adopted = -1;    // that of the process which this thread's OpenMP was told
thread_local bool has_own = false;
std::atomic<std::int64_t> grain = 1 << 15;

// A region then has as many threads as OpenMP says it may have, if the system gives them.
void tell_openmp(int n) {
  omp_set_dynamic(0);
  omp_set_num_threads(std::min(n, omp_get_thread_limit()));
}

// Has as many threads at once begin and end as loops on n take: one sleeps for the calling one (parallel_for.cpp).
void check_threads(int n) {
  std::string problem;
  std::atomic<bool> tried = false;
  std::vector<std::jthread> others;
  try {
    while (std::ssize(others) < n) others.emplace_back([&] { tried.wait(false); });
  } catch (const std::exception& error) {
    problem = error.what();
  }
  tried = true;
  tried.notify_all();
  TK_CHECK(problem.empty(), "start_threads: the system gives ", std::max<std::size_t>(1, others.size()), " of ", n,
           " threads: ", problem, "; use fewer, or raise its limits (ulimit -u, -v)");
}

}  // namespace

void adopt_num_threads() {
  const int n = of_process.load(std::memory_order_relaxed);
  if (n == adopted || has_own) return;
  adopted = n;
  tell_openmp(n > 0 ? n : omp_get_max_threads());
}

int num_threads() {
  adopt_num_threads();
  const bool may_share = !in_parallel_for() && omp_get_active_level() < omp_get_max_active_levels();
  return may_share ? omp_get_max_threads() : 1;
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

std::int64_t thread_grain() { return grain.load(std::memory_order_relaxed); }

void set_thread_grain(std::int64_t elements) {
  TK_CHECK(elements >= 0, "set_thread_grain: expected at least 0, got ", elements);
  grain = elements;
}

void start_threads() {
  const int n = num_threads();
  if (n == 1) return;
  check_threads(n);
  parallel_for(n, n, [](std::int64_t) {});
}

std::string blas_info() { return openblas_get_config(); }

std::string blas_core() { return openblas_get_corename(); }

bool blas_uses_openmp() {
  constexpr int kOpenMp = 2;
  return openblas_get_parallel() == kOpenMp;
}

void multiply_by_blas(Tensor& y, const Tensor& a, const Tensor& b) {
  for (const Tensor& x : {y, a, b}) {
    TK_CHECK(x.device() == Device::kCpu && x.dtype() == DType::kFloat32 && x.rank() == 2 && x.is_contiguous(),
             "multiply_by_blas: expected contiguous float32 matrices on the CPU, got ", x.dtype(), ' ', x.shape());
  }
  const std::int64_t m = a.shape()[0], k = a.shape()[1], n = b.shape()[1];
  TK_CHECK(b.shape()[0] == k && y.shape() == Shape({m, n}), "multiply_by_blas: sizes differ: ", a.shape(), " @ ",
           b.shape(), " into ", y.shape());
  adopt_num_threads();
  cpu::parallel_blas({.m = m,
                      .n = n,
                      .k = k,
                      .a = a.data<float>(),
                      .lda = k,
                      .b = b.data<float>(),
                      .ldb = n,
                      .y = y.data<float>(),
                      .ldy = n});
}

}  // namespace tk
