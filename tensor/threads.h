#pragma once

#include <string>

namespace tk {

/// Threads that CPU kernels use; defaults to the cores this process may run on.
int num_threads();
/// Throws unless n >= 1.
void set_num_threads(int n);

/// The BLAS library's own description: version, core type and threading model.
std::string blas_info();
/// The core type whose kernels BLAS runs, such as "SkylakeX": what the bits of a product depend on.
std::string blas_core();
/// Whether BLAS threads by OpenMP; the pthread variant is several times slower inside parallel regions.
bool blas_uses_openmp();

}  // namespace tk
