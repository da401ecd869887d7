#pragma once

#include <string>
#include <string_view>

namespace tk {

/// What processors have or lack that OpenBLAS' kernels are made of.
struct ProcessorFeatures {
  bool avx = false;
  bool avx2 = false;  ///< with FMA
  bool avx512 = false;
  bool avx512_bf16 = false;
  bool fma4 = false;  ///< AMD's before Zen
  bool amd_3dnow = false;
};

/// This processor's, in so far as the system lets programs use them. May be called before any library is initialised.
ProcessorFeatures processor_features();

/// What a processor lacks to run OpenBLAS' kernels for `core`, as "AVX-512"; empty where it can or the name is unknown.
/// Upper and lower case are the same, as they are to OpenBLAS. May be called before any library is initialised.
std::string_view lacking_for_core(std::string_view core, const ProcessorFeatures& features);

/// The core whose kernels BLAS should run here instead of `core`, or nothing when `core` is good enough.
std::string better_blas_core(std::string_view core, const ProcessorFeatures& features);

}  // namespace tk
