#include "autograd/estimators/gumbel_softmax.h"

#include "autograd/estimators/straight_through.h"
#include "autograd/ops/elementwise.h"
#include "autograd/ops/softmax.h"
#include "tensor/ops/gate.h"

namespace tk {
Variable gumbel_softmax(const Variable& logits, const Tensor& noise, double temperature, bool hard) {
  TK_CHECK(temperature > 0, "gumbel_softmax: expected a temperature above 0, got ", temperature);
  TK_CHECK(logits.shape().rank() >= 1 && logits.shape().back() >= 1, "gumbel_softmax: expected classes in the last ",
           "dimension, got ", logits.shape());
  const Variable soft = softmax((logits + Variable(noise)) * (1.0 / temperature));
  return hard ? straight_through(one_hot_of_largest(soft.value()), soft) : soft;
}

Variable decoupled_gumbel_softmax(const Variable& logits, const Tensor& noise, double forward, double backward) {
  const Variable soft = gumbel_softmax(logits, noise, backward, false);
  return straight_through(gumbel_softmax(logits.detach(), noise, forward, false).value(), soft);
}

Variable gate_margin(const Variable& z, const Tensor& state) {
  return record("gate_margin", gate_margin(z.value(), state), {z}, [](const Tensor& dy) -> Tensors { return {dy}; });
}

namespace {

Variable record_gate(const Variable& z, const GateOutput& out, const Tensor& state) {
  return record("gumbel_gate", out.hard, {z}, [soft = out.soft, state](const Tensor& dy) -> Tensors {
    return {hard_gate_backward(dy, soft, state)};
  });
}

}  // namespace

Variable gumbel_gate(const Variable& z, const Tensor& noise, const Tensor& state) {
  return record_gate(z, hard_gate(z.value(), noise, state), state);
}

Variable gumbel_gate(const Variable& z, const DropoutKey& key) {
  return record_gate(z, hard_gate(z.value(), key), key.state);
}

Variable soft_gate(const Variable& z, const Tensor& noise, const Tensor& state) {
  const Tensor soft = hard_gate(z.value(), noise, state).soft;
  return record("soft_gate", soft, {z}, [soft = Saved(soft), state](const Tensor& dy) -> Tensors {
    return {hard_gate_backward(dy, soft, state)};
  });
}

}  // namespace tk
