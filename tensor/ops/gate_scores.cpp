#include "tensor/ops/gate_scores.h"

#include "tensor/kernels.h"
#include "tensor/ops/layer_norm.h"

namespace tk {

bool has_gate_scores(Device device, DType dtype, std::int64_t hidden, std::int64_t width) {
  return device == Device::kCuda && dtype == DType::kBFloat16 && hidden % 32 == 0 && hidden <= 1024 && width <= 384;
}

namespace {

// A parameter of a predictor of rows like x.
class ParameterCheck {
 public:
  ParameterCheck(const char* op, const Tensor& x) : op_(op), x_(x) {}
  void operator()(const Tensor& parameter, const Shape& shape, DType dtype, const char* name) const {
    TK_CHECK(parameter.shape() == shape && parameter.dtype() == dtype && parameter.device() == x_.device(), op_,
             ": expected ", name, " of ", dtype, ' ', shape, " on ", x_.device(), ", got ", parameter.dtype(), ' ',
             parameter.shape(), " on ", parameter.device());
  }

 private:
  const char* op_;
  const Tensor& x_;
};

// All but w and its bias, of `width` columns.
void check_but_w(const ParameterCheck& check, const PredictorWeights& weights, DType dtype, std::int64_t hidden,
                 std::int64_t width) {
  const std::int64_t outputs = weights.output_w.shape()[0];
  check(weights.input_gamma, {hidden}, dtype, "input_gamma");
  check(weights.input_beta, {hidden}, dtype, "input_beta");
  check(weights.hidden_gamma, {width}, dtype, "hidden_gamma");
  check(weights.hidden_beta, {width}, dtype, "hidden_beta");
  check(weights.output_w, {outputs, width}, dtype, "output_w");
  check(weights.output_b, {outputs}, dtype, "output_b");
}

Tensor room_for_scores(const Tensor& x, const PredictorWeights& weights) {
  const std::int64_t outputs = weights.output_w.shape()[0];
  return empty({x.shape()[0], outputs == 2 ? 1 : outputs}, row_dtype(x.dtype()), x.device());
}

}  // namespace

void check_predictor(const char* op, const Tensor& x, const PredictorWeights& weights) {
  TK_CHECK(x.rank() == 2 && weights.w.rank() == 2 && weights.output_w.rank() == 2, op,
           ": expected matrices x, w and output_w, got ", x.shape(), ", ", weights.w.shape(), " and ",
           weights.output_w.shape());
  const std::int64_t hidden = x.shape()[1], width = weights.w.shape()[0];
  const DType dtype = row_dtype(x.dtype());
  const ParameterCheck check(op, x);
  check(weights.w, {width, hidden}, x.dtype(), "w");
  check(weights.b, {width}, dtype, "b");
  check_but_w(check, weights, dtype, hidden, width);
  TK_CHECK(has_gate_scores(x.device(), x.dtype(), hidden, width), op, ": no kernel for ", x.dtype(), " on ", x.device(),
           ", ", hidden, " elements a row and a width of ", width);
}

Tensor gate_scores(const Tensor& x, const PredictorWeights& weights) {
  check_predictor("gate_scores", x, weights);
  Tensor z = room_for_scores(x, weights);
  gate_scores_kernel(x.device(), z, x.contiguous(), weights);
  return z;
}

Tensor gate_scores(const Tensor& x, const PackedMatrix& w, const PredictorWeights& weights) {
  constexpr const char* kOp = "gate_scores";
  TK_CHECK(x.rank() == 2 && x.dtype() == DType::kFloat32 && x.device() == Device::kCpu && x.shape()[1] == w.in &&
               w.defined(),
           kOp, ": expected float32 x [n, ", w.in, "] on the cpu, got ", x.dtype(), ' ', x.shape(), " on ", x.device());
  TK_CHECK(weights.output_w.rank() == 2 && (weights.output_w.shape()[0] == 2 || weights.output_w.shape()[0] == 3), kOp,
           ": expected two or three outputs, got output_w ", weights.output_w.shape());
  const ParameterCheck check(kOp, x);
  check(w.bias, {w.out}, DType::kFloat32, "b");
  check_but_w(check, weights, DType::kFloat32, w.in, w.out);
  Tensor z = room_for_scores(x, weights);
  packed_gate_scores_kernel(Device::kCpu, z, x.contiguous(), w, weights);
  return z;
}

}  // namespace tk
