#include "tensor/ops/gate_scores.h"

#include "tensor/kernels.h"
#include "tensor/ops/layer_norm.h"

namespace tk {

bool has_gate_scores(Device device, DType dtype, std::int64_t hidden, std::int64_t width) {
  return device == Device::kCuda && dtype == DType::kBFloat16 && hidden % 32 == 0 && hidden <= 1024 && width <= 384;
}

void check_predictor(const char* op, const Tensor& x, const PredictorWeights& weights) {
  TK_CHECK(x.rank() == 2 && weights.w.rank() == 2 && weights.output_w.rank() == 2, op,
           ": expected matrices x, w and output_w, got ", x.shape(), ", ", weights.w.shape(), " and ",
           weights.output_w.shape());
  const std::int64_t hidden = x.shape()[1], width = weights.w.shape()[0], outputs = weights.output_w.shape()[0];
  const DType dtype = row_dtype(x.dtype());
  const auto check = [&](const Tensor& parameter, const Shape& shape, DType dtype, const char* name) {
    TK_CHECK(parameter.shape() == shape && parameter.dtype() == dtype && parameter.device() == x.device(), op,
             ": expected ", name, " of ", dtype, ' ', shape, " on ", x.device(), ", got ", parameter.dtype(), ' ',
             parameter.shape(), " on ", parameter.device());
  };
  check(weights.input_gamma, {hidden}, dtype, "input_gamma");
  check(weights.input_beta, {hidden}, dtype, "input_beta");
  check(weights.w, {width, hidden}, x.dtype(), "w");
  check(weights.b, {width}, dtype, "b");
  check(weights.hidden_gamma, {width}, dtype, "hidden_gamma");
  check(weights.hidden_beta, {width}, dtype, "hidden_beta");
  check(weights.output_w, {outputs, width}, dtype, "output_w");
  check(weights.output_b, {outputs}, dtype, "output_b");
  TK_CHECK(has_gate_scores(x.device(), x.dtype(), hidden, width), op, ": no kernel for ", x.dtype(), " on ", x.device(),
           ", ", hidden, " elements a row and a width of ", width);
}

Tensor gate_scores(const Tensor& x, const PredictorWeights& weights) {
  check_predictor("gate_scores", x, weights);
  const std::int64_t outputs = weights.output_w.shape()[0];
  Tensor z = empty({x.shape()[0], outputs == 2 ? 1 : outputs}, row_dtype(x.dtype()), x.device());
  gate_scores_kernel(x.device(), z, x.contiguous(), weights);
  return z;
}

}  // namespace tk
