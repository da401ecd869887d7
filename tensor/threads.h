#pragma once

#include <cstdint>
#include <string>

#include "tensor/tensor.h"

namespace tk {

/// Threads that CPU kernels use which the calling thread asks for; defaults to the cores this process may run on. Less
/// than was asked for where OpenMP gives less (OMP_THREAD_LIMIT, OMP_MAX_ACTIVE_LEVELS, a parallel region around).
int num_threads();
/// For all threads of the process, those that begin later too, but for those with a number of their own. Throws unless
/// n >= 1.
void set_num_threads(int n);
/// For the calling thread alone. Throws unless n >= 1.
void set_own_num_threads(int n);
/// What kernels do by the calling thread alone: less than so many elements, or 64 times as many multiply-adds. By
/// default 32,768, some 10 us: to call others takes one or two, and they may come late. A product is worth it later, as
/// what it reads has to go to their caches. Bits do not depend on it. 0: all is shared.
std::int64_t thread_grain();
/// For the whole process. Throws unless elements >= 0.
void set_thread_grain(std::int64_t elements);
/// Has the threads begin that kernels called from this one use. Throws tk::Error where the system does not give them;
/// OpenMP would end the program.
void start_threads();
/// Has the calling thread's OpenMP take the number that holds for it. Every call of a kernel does so.
void adopt_num_threads();

/// The BLAS library's own description: version, core type and threading model.
std::string blas_info();
/// The core type whose kernels BLAS runs, such as "SkylakeX": what the bits of a product depend on.
std::string blas_core();
/// Whether BLAS threads by OpenMP; the pthread variant is several times slower inside parallel regions.
bool blas_uses_openmp();
/// y = a b by BLAS, as fast as it goes on num_threads() threads, on which the bits depend; `matmul` is what computes.
/// Throws unless all are contiguous float32 matrices of the CPU whose sizes fit.
void multiply_by_blas(Tensor& y, const Tensor& a, const Tensor& b);

}  // namespace tk
