#pragma once

#include "tensor/kernel_arguments.h"

namespace tk {

/// z of a predictor_head, and what it keeps for its backward: mean and 1 / sqrt(variance + epsilon) of each row of u.
struct PredictorHeadOutput {
  Tensor z;
  Tensor mean;
  Tensor rstd;
};

/// What a skim predictor (Guan et al., ACL 2022, section 3) makes of its first product: s = output_w GELU(LN(u)) +
/// output_b of each row of u [rows, width]. Of two outputs z [rows, 1] is the second less the first, of three it is s,
/// [rows, 3]; it has u's row_dtype, as gamma, beta [width], output_w [outputs, width] and output_b [outputs]. Without
/// `for_backward` only z is kept.
PredictorHeadOutput predictor_head(const Tensor& u, const Tensor& gamma, const Tensor& beta, const Tensor& output_w,
                                   const Tensor& output_b, double epsilon, bool for_backward = true);

/// Sums over the rows that the backward makes beside du, where they are wanted.
struct PredictorHeadSums {
  SumTarget dgamma;
  SumTarget dbeta;
  SumTarget doutput_w;
  SumTarget doutput_b;
};
/// du.
Tensor predictor_head_backward(const Tensor& dz, const Tensor& u, const Tensor& mean, const Tensor& rstd,
                               const Tensor& gamma, const Tensor& beta, const Tensor& output_w,
                               const PredictorHeadSums& sums);

}  // namespace tk
