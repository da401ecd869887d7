#include "autograd/estimators/sloped_gate.h"

#include "tensor/ops/elementwise.h"
#include "tensor/ops/gate_slope.h"

namespace tk {

Variable sloped_gate(const Variable& z, const Tensor& noise, const Tensor& state, const GateRule& rule) {
  const SlopedGate out = gate_slope(z.value(), noise, state, rule);
  return record("sloped_gate", out.hard, {z},
                [slope = Saved(out.slope)](const Tensor& dy) -> Tensors { return {mul(dy, slope.get())}; });
}

}  // namespace tk
