#include "autograd/ops/predictor_head.h"

#include "autograd/grad_mode.h"
#include "autograd/ops/elementwise.h"
#include "autograd/ops/layer_norm.h"
#include "autograd/ops/matmul.h"
#include "autograd/ops/shape.h"
#include "autograd/ops/to.h"
#include "tensor/ops/predictor_head.h"

namespace tk {

// With n = LN(u), g = GELU(n) and ds the outputs' gradients (of two: -dz and dz): doutput_w += ds g, doutput_b += ds,
// dn = GELU'(n) output_w^T ds, and from there as layer_norm.
Variable predictor_head(const Variable& u, const Variable& gamma, const Variable& beta, const Variable& output_w,
                        const Variable& output_b, double epsilon) {
  enum : std::size_t { kU, kGamma, kBeta, kOutputW, kOutputB };
  const PredictorHeadOutput out = predictor_head(u.value(), gamma.value(), beta.value(), output_w.value(),
                                                 output_b.value(), epsilon, grad_enabled());
  return record("predictor_head", out.z,
                {{kU, u}, {kGamma, gamma}, {kBeta, beta}, {kOutputW, output_w}, {kOutputB, output_b}},
                [u = Saved(u), gamma = Saved(gamma), beta = Saved(beta), output_w = Saved(output_w), mean = out.mean,
                 rstd = out.rstd](const Tensor& dz, Destinations& to) {
                  const SumTarget dgamma = to.target_beside(kGamma), dbeta = to.target_beside(kBeta),
                                  doutput_w = to.target_beside(kOutputW), doutput_b = to.target_beside(kOutputB);
                  to.add_if_wanted(kU, predictor_head_backward(dz, u, mean, rstd, gamma, beta, output_w,
                                                               {dgamma, dbeta, doutput_w, doutput_b}));
                });
}

Variable predictor_head_composed(const Variable& u, const Variable& gamma, const Variable& beta,
                                 const Variable& output_w, const Variable& output_b, double epsilon) {
  const Variable g = gelu(layer_norm(u, gamma, beta, epsilon));
  const Variable s = to(linear(g, to(output_w, u.dtype()), to(output_b, u.dtype())), gamma.dtype());
  return s.shape()[1] == 2 ? narrow(s, 1, 1, 1) - narrow(s, 1, 0, 1) : s;
}

}  // namespace tk
