#pragma once

#include "tensor/kernel_arguments.h"

namespace tk {

/// Whether gate_scores has a kernel for rows [hidden] and a predictor of so many columns: on CUDA, for bfloat16, hidden
/// a multiple of 32 up to 1024 and a width up to 384. Elsewhere ask op by op.
bool has_gate_scores(Device device, DType dtype, std::int64_t hidden, std::int64_t width);

/// A skim predictor (Guan et al., ACL 2022, section 3): s = output_w GELU(LN(w LN(x) + b)) + output_b of each row of
/// x [rows, hidden]; of two outputs the second less the first, z [rows, 1], else (up to three) z [rows, outputs].
/// LN(x) is rounded to x's dtype; z has its row_dtype. Throws unless has_gate_scores.
Tensor gate_scores(const Tensor& x, const PredictorWeights& weights);

/// The same on the CPU, of float32 x by a packed w [width, hidden] with the bias b, in place of those of `weights`: the
/// bits of layer_norm, linear and predictor_head.
Tensor gate_scores(const Tensor& x, const PackedMatrix& w, const PredictorWeights& weights);

/// Throws unless the parameters are a predictor's of rows like x, for which there is a kernel.
void check_predictor(const char* op, const Tensor& x, const PredictorWeights& weights);

}  // namespace tk
