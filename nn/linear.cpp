#include "nn/linear.h"

#include <cmath>

#include "autograd/grad_mode.h"
#include "autograd/ops/bias_activation.h"
#include "autograd/ops/matmul.h"
#include "autograd/ops/shape.h"
#include "tensor/ops/matmul.h"

namespace tk {

Linear::Linear(std::int64_t in, std::int64_t out, bool has_bias, Init init)
    : weight(init == Init::kInt8Zeros ? Parameter::int8({out, in}) : Parameter({out, in})) {
  if (has_bias) bias = Parameter({out}, false);
  if (init != Init::kDefault || in == 0) return;
  const double bound = 1 / std::sqrt(static_cast<double>(in));
  init_uniform(weight.value(), bound);
  if (has_bias) init_uniform(bias.value(), bound);
}

Variable Linear::operator()(const Variable& x) const {
  return times(x, weight.as(x.dtype()), bias.defined() ? bias.as(x.dtype()) : Variable(), 0);
}

Variable Linear::without_bias(const Variable& x) const { return times(x, weight.as(x.dtype()), Variable(), 0); }

Variable Linear::activated(const Variable& x, Activation activation) const {
  const std::int64_t out = weight.value().shape()[0];
  if (weight.is_quantized()) return Variable(linear(x.value(), packed_int8(x, 0, out), bias.value(), activation));
  const PackedWeight packed = packed_if_it_may_be(x, 0, out);
  if (packed.serves()) return Variable(linear(x.value(), packed, bias.value(), activation));
  return bias_activation(without_bias(x), bias, activation);
}

Variable Linear::columns(const Variable& x, std::int64_t begin, std::int64_t n) const {
  const Variable some_bias = bias.defined() ? narrow(bias.as(x.dtype()), 0, begin, n) : Variable();
  return times(x, narrow(weight.as(x.dtype()), 0, begin, n), some_bias, begin);
}

bool Linear::is_packed_for(const Variable& x) const {
  const bool may_be = !grad_enabled() && !weight.is_kept() && x.shape().rank() == 2 && x.dtype() == DType::kFloat32 &&
                      x.device() == Device::kCpu;
  return weight.is_quantized() || (may_be && PackedWeight::serve());
}

PackedMatrix Linear::packed(const Variable& x) const {
  PackedMatrix matrix = packed_without_bias(x);
  if (bias.defined()) matrix.bias = bias.value();
  return matrix;
}

PackedMatrix Linear::packed_without_bias(const Variable& x) const {
  const std::int64_t out = weight.value().shape()[0];
  if (weight.is_quantized()) return packed_int8(x, 0, out).matrix();
  const PackedWeight packed = packed_if_it_may_be(x, 0, out);
  return packed.serves() ? packed.matrix() : PackedMatrix();
}

Variable Linear::times(const Variable& x, const Variable& some_weight, const Variable& some_bias,
                       std::int64_t begin) const {
  if (weight.is_quantized()) {
    return Variable(linear(x.value(), packed_int8(x, begin, some_weight.shape()[0]), some_bias.value()));
  }
  const PackedWeight packed = packed_if_it_may_be(x, begin, some_weight.shape()[0]);
  if (packed.serves()) return Variable(linear(x.value(), packed, some_bias.value()));
  return linear(x, some_weight, some_bias);
}

PackedWeight Linear::packed_if_it_may_be(const Variable& x, std::int64_t begin, std::int64_t n) const {
  return is_packed_for(x) ? packed_->range(weight.value(), begin, n) : PackedWeight();
}

PackedInt8Weight Linear::packed_int8(const Variable& x, std::int64_t begin, std::int64_t n) const {
  TK_CHECK(!x.requires_grad(), "linear: the weight is int8, which has no backward");
  return packed_->range(weight.quantized(), begin, n);
}

void Linear::collect(ParameterList& list, const std::string& path) {
  list.push_back({{path + ".weight"}, &weight});
  if (bias.defined()) list.push_back({{path + ".bias"}, &bias});
}

}  // namespace tk
