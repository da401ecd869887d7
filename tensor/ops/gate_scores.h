#pragma once

#include "tensor/tensor.h"

namespace tk {

/// Whether gate_scores has a kernel for rows of so many columns: on CUDA, of at most 1024. Elsewhere ask op by op.
bool has_gate_scores(Device device, std::int64_t width);

/// The end of a skim predictor (Guan et al., ACL 2022, section 3): s = weight GELU(LN(x)) + bias of each row of
/// x [rows, width], weight [outputs, width], LN with gamma and beta [width]; of two outputs the second less the first,
/// z [rows, 1], else z [rows, outputs]. All but x have its row_dtype, and so has z. Throws unless has_gate_scores.
Tensor gate_scores(const Tensor& x, const Tensor& gamma, const Tensor& beta, double epsilon, const Tensor& weight,
                   const Tensor& bias);

}  // namespace tk
