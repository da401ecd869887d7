#include "tensor/ops/gate_scores.h"

#include "tensor/kernels.h"
#include "tensor/ops/layer_norm.h"

namespace tk {

bool has_gate_scores(Device device, DType dtype, std::int64_t hidden, std::int64_t width) {
  return device == Device::kCuda && dtype == DType::kBFloat16 && hidden % 32 == 0 && hidden <= 1024 && width <= 384;
}

namespace {

void check(const Tensor& parameter, const Shape& shape, DType dtype, const Tensor& x, const char* name) {
  TK_CHECK(parameter.shape() == shape && parameter.dtype() == dtype && parameter.device() == x.device(),
           "gate_scores: expected ", name, " of ", dtype, ' ', shape, " on ", x.device(), ", got ", parameter.dtype(),
           ' ', parameter.shape(), " on ", parameter.device());
}

}  // namespace

Tensor gate_scores(const Tensor& x, const PredictorWeights& weights) {
  TK_CHECK(x.rank() == 2 && weights.w.rank() == 2 && weights.output_w.rank() == 2,
           "gate_scores: expected matrices x, w and output_w, got ", x.shape(), ", ", weights.w.shape(), " and ",
           weights.output_w.shape());
  const std::int64_t hidden = x.shape()[1], width = weights.w.shape()[0], outputs = weights.output_w.shape()[0];
  const DType dtype = row_dtype(x.dtype());
  check(weights.input_gamma, {hidden}, dtype, x, "input_gamma");
  check(weights.input_beta, {hidden}, dtype, x, "input_beta");
  check(weights.w, {width, hidden}, x.dtype(), x, "w");
  check(weights.b, {width}, dtype, x, "b");
  check(weights.hidden_gamma, {width}, dtype, x, "hidden_gamma");
  check(weights.hidden_beta, {width}, dtype, x, "hidden_beta");
  check(weights.output_w, {outputs, width}, dtype, x, "output_w");
  check(weights.output_b, {outputs}, dtype, x, "output_b");
  TK_CHECK(has_gate_scores(x.device(), x.dtype(), hidden, width), "gate_scores: no kernel for ", x.dtype(), " on ",
           x.device(), ", ", hidden, " elements a row and a width of ", width);
  Tensor z = empty({x.shape()[0], outputs == 2 ? 1 : outputs}, dtype, x.device());
  gate_scores_kernel(x.device(), z, x.contiguous(), weights);
  return z;
}

}  // namespace tk
