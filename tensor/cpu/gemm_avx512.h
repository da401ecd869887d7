#pragma once

#include "tensor/cpu/gemm.h"

namespace tk::cpu {

/// Whether float32 products run on the tiles of this file: the processor has AVX-512, and BLAS was not told to run the
/// kernels of a lesser one (--blas_coretype).
bool has_avx512_gemm();

/// gemm of gemm.h. Every element of y is summed over k in one order, so its bits depend on its row of a and its column
/// of b alone.
void gemm_avx512(const Product<float>& p, float* scratch);
std::int64_t gemm_avx512_scratch();
/// Pieces of y that keep all threads busy.
Pieces avx512_pieces(const Product<float>& p);

}  // namespace tk::cpu
