#include "tensor/ops/predictor_head.h"

#include "tensor/kernels.h"
#include "tensor/ops/layer_norm.h"
#include "tensor/ops/sum_target.h"

namespace tk {

PredictorHeadOutput predictor_head(const Tensor& u, const Tensor& gamma, const Tensor& beta, const Tensor& output_w,
                                   const Tensor& output_b, double epsilon, bool for_backward) {
  constexpr const char* kOp = "predictor_head";
  TK_CHECK(u.rank() == 2, kOp, ": expected u [rows, width], got ", u.shape());
  check_layer_norm(kOp, u, gamma, beta);
  const std::int64_t rows = u.shape()[0], width = u.shape()[1];
  const DType dtype = row_dtype(u.dtype());
  TK_CHECK(output_w.rank() == 2 && (output_w.shape()[0] == 2 || output_w.shape()[0] == 3) &&
               output_w.shape()[1] == width && output_w.dtype() == dtype,
           kOp, ": expected output_w of ", dtype, ", [2, ", width, "] or [3, ", width, "], got ", output_w.dtype(), ' ',
           output_w.shape());
  const std::int64_t outputs = output_w.shape()[0];
  TK_CHECK(output_b.shape() == Shape{outputs} && output_b.dtype() == dtype, kOp, ": expected output_b of ", dtype, " [",
           outputs, "], got ", output_b.dtype(), ' ', output_b.shape());
  PredictorHeadOutput out{empty({rows, outputs == 2 ? 1 : outputs}, dtype, u.device()), {}, {}};
  if (for_backward) {
    out.mean = empty({rows}, dtype, u.device());
    out.rstd = empty({rows}, dtype, u.device());
  }
  predictor_head_kernel(u.device(), out.z, out.mean, out.rstd, u.contiguous(), gamma.contiguous(), beta.contiguous(),
                        output_w.contiguous(), output_b.contiguous(), epsilon);
  return out;
}

Tensor predictor_head_backward(const Tensor& dz, const Tensor& u, const Tensor& mean, const Tensor& rstd,
                               const Tensor& gamma, const Tensor& beta, const Tensor& output_w,
                               const PredictorHeadSums& sums) {
  constexpr const char* kOp = "predictor_head";
  for (const SumTarget& sum : {sums.dgamma, sums.dbeta}) check_target(kOp, sum, gamma);
  check_target(kOp, sums.doutput_w, output_w);
  check_target(kOp, sums.doutput_b, output_w.select(1, 0));  // [outputs] of its dtype
  Tensor du = empty_like(u);
  predictor_head_backward_kernel(u.device(), du, sums.dgamma, sums.dbeta, sums.doutput_w, sums.doutput_b,
                                 dz.contiguous(), u.contiguous(), mean, rstd, gamma.contiguous(), beta.contiguous(),
                                 output_w.contiguous());
  return du;
}

}  // namespace tk
