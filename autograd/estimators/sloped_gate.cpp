#include "autograd/estimators/sloped_gate.h"

#include "tensor/ops/elementwise.h"
#include "tensor/ops/gate_slope.h"

namespace tk {

namespace {

Variable record_gate(const Variable& z, const SlopedGate& out) {
  return record("sloped_gate", out.hard, {z},
                [slope = Saved(out.slope)](const Tensor& dy) -> Tensors { return {mul(dy, slope.get())}; });
}

}  // namespace

Variable sloped_gate(const Variable& z, const Tensor& noise, const Tensor& state, const GateRule& rule) {
  return record_gate(z, gate_slope(z.value(), noise, state, rule));
}

Variable sloped_gate(const Variable& z, const DropoutKey& key, const GateRule& rule) {
  return record_gate(z, gate_slope(z.value(), key, rule));
}

}  // namespace tk
