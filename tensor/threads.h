#pragma once

#include <string>

namespace tk {

/// Threads that CPU kernels use which the calling thread asks for; defaults to the cores this process may run on.
int num_threads();
/// For all threads of the process, those that begin later too, but for those with a number of their own. Throws unless
/// n >= 1.
void set_num_threads(int n);
/// For the calling thread alone. Throws unless n >= 1.
void set_own_num_threads(int n);
/// Has the calling thread's OpenMP take the number that holds for it. Every call of a kernel does so.
void adopt_num_threads();

/// The BLAS library's own description: version, core type and threading model.
std::string blas_info();
/// The core type whose kernels BLAS runs, such as "SkylakeX": what the bits of a product depend on.
std::string blas_core();
/// Whether BLAS threads by OpenMP; the pthread variant is several times slower inside parallel regions.
bool blas_uses_openmp();

}  // namespace tk
