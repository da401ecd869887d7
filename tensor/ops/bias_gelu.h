#pragma once

#include "tensor/tensor.h"

namespace tk {

/// gelu(x + bias), x [..., cols], bias [cols]; GELU in its exact (erf) form.
Tensor bias_gelu(const Tensor& x, const Tensor& bias);
/// dx = dy gelu'(x + bias); the bias's gradient is its sum over the rows.
Tensor bias_gelu_backward(const Tensor& dy, const Tensor& x, const Tensor& bias);

}  // namespace tk
