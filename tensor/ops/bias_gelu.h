#pragma once

#include "tensor/kernel_arguments.h"

namespace tk {

/// gelu(x + bias), x [..., cols], bias [cols]; GELU in its exact (erf) form.
Tensor bias_gelu(const Tensor& x, const Tensor& bias);
/// dx = dy gelu'(x + bias); the bias's gradient is its sum over the rows, made beside it if wanted.
Tensor bias_gelu_backward(const Tensor& dy, const Tensor& x, const Tensor& bias, const SumTarget& dbias = {});

}  // namespace tk
