#include "autograd/estimators/gumbel_softmax.h"

#include <algorithm>

#include "autograd/estimators/straight_through.h"
#include "autograd/ops/elementwise.h"
#include "autograd/ops/softmax.h"
#include "tensor/ops/gate.h"

namespace tk {
namespace {

Tensor one_hot_of_largest(const Tensor& x) {
  const std::int64_t classes = x.shape().back();
  const Tensor y = zeros_like(x);
  dispatch_floating(x.dtype(), "gumbel_softmax", [&]<class T>() {
    for (std::int64_t at = 0; at < x.numel(); at += classes) {
      const T* row = x.data<T>() + at;
      y.data<T>()[at + (std::max_element(row, row + classes) - row)] = T(1);
    }
  });
  return y;
}

}  // namespace

Variable gumbel_softmax(const Variable& logits, const Tensor& noise, double temperature, bool hard) {
  TK_CHECK(temperature > 0, "gumbel_softmax: expected a temperature above 0, got ", temperature);
  TK_CHECK(logits.shape().rank() >= 1 && logits.shape().back() >= 1, "gumbel_softmax: expected classes in the last ",
           "dimension, got ", logits.shape());
  const Variable soft = softmax((logits + Variable(noise)) * (1.0 / temperature));
  return hard ? straight_through(one_hot_of_largest(soft.value()), soft) : soft;
}

Variable gumbel_gate(const Variable& z, const Tensor& noise, const Tensor& state) {
  const GateOutput out = hard_gate(z.value(), noise, state);
  return record("gumbel_gate", out.hard, {z}, [soft = out.soft, state](const Tensor& dy) -> Tensors {
    return {hard_gate_backward(dy, soft, state)};
  });
}

}  // namespace tk
