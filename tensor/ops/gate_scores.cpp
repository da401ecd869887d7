#include "tensor/ops/gate_scores.h"

#include "tensor/kernels.h"
#include "tensor/ops/layer_norm.h"

namespace tk {

bool has_gate_scores(Device device, std::int64_t width) { return device == Device::kCuda && width <= 1024; }

Tensor gate_scores(const Tensor& x, const Tensor& gamma, const Tensor& beta, double epsilon, const Tensor& weight,
                   const Tensor& bias) {
  check_layer_norm("gate_scores", x, gamma, beta);
  TK_CHECK(x.rank() == 2 && weight.rank() == 2 && weight.shape()[1] == x.shape()[1] &&
               bias.shape() == Shape{weight.shape()[0]} && weight.dtype() == row_dtype(x.dtype()),
           "gate_scores: expected weight [outputs, ", x.shape().back(), "] and bias [outputs] of ",
           row_dtype(x.dtype()), ", got ", weight.dtype(), ' ', weight.shape(), " and ", bias.shape());
  const std::int64_t outputs = weight.shape()[0];
  Tensor z = empty({x.shape()[0], outputs == 2 ? 1 : outputs}, weight.dtype(), x.device());
  gate_scores_kernel(x.device(), z, x.contiguous(), gamma, beta, epsilon, weight, bias);
  return z;
}

}  // namespace tk
