#pragma once

#include "autograd/variable.h"
#include "tensor/gate_rule.h"

namespace tk {

/// A hard gate, 1 where z + s noise > 0, else 0, whose gradient is multiplied by the slope of `rule` on its way to z;
/// see tensor/ops/gate_slope.h. The pathwise estimators of a gate, in one kernel forward and one product backward.
Variable sloped_gate(const Variable& z, const Tensor& noise, const Tensor& state, const GateRule& rule);
/// The same with the noise that the key names, without a tensor of it; the state is the key's.
Variable sloped_gate(const Variable& z, const DropoutKey& key, const GateRule& rule);

}  // namespace tk
