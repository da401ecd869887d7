#pragma once

#include "tensor/gate_rule.h"
#include "tensor/tensor.h"

namespace tk {

struct SlopedGate {
  Tensor hard;   ///< 0 or 1: z + s noise > 0; NaN where that is
  Tensor slope;  ///< what a gradient of `hard` is multiplied by on its way to z
};
/// Hard gates as hard_gate's, with the slope of `rule`. z and the logistic noise have the same shape; of rules that
/// draw, the key's rows divide its elements. Temperature and s, the noise's factor (gate_noise), are the step state's.
/// Where the noise fades (s < 1) the choices are those of a Bernoulli number of logit z / s; conditional noise follows
/// them, while P in the formulas stays sigmoid(z), which keeps slopes bounded.
SlopedGate gate_slope(const Tensor& z, const Tensor& noise, const Tensor& state, const GateRule& rule);
/// The same with the logistic noise that the key names, which the kernel draws by itself; the state is the key's.
SlopedGate gate_slope(const Tensor& z, const DropoutKey& key, const GateRule& rule);

}  // namespace tk
