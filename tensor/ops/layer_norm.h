#pragma once

#include "tensor/kernel_arguments.h"

namespace tk {

/// What a normalisation keeps for its backward: mean and 1 / sqrt(variance + epsilon) of each row.
struct LayerNormOutput {
  Tensor y;
  Tensor mean;
  Tensor rstd;
};

/// (x - mean) rstd gamma + beta along the last dimension (Ba et al., arXiv 1607.06450); gamma and beta [cols].
LayerNormOutput layer_norm(const Tensor& x, const Tensor& gamma, const Tensor& beta, double epsilon);

/// dx, and beside it the sums over the rows that are wanted.
Tensor layer_norm_backward(const Tensor& dy, const Tensor& x, const Tensor& mean, const Tensor& rstd,
                           const Tensor& gamma, const SumTarget& dgamma, const SumTarget& dbeta);

/// Throws "<op>: ..." unless gamma and beta are [cols] of row_dtype for x [..., cols].
void check_layer_norm(const char* op, const Tensor& x, const Tensor& gamma, const Tensor& beta);

}  // namespace tk
