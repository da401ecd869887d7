#pragma once

#include "tensor/activation.h"
#include "tensor/kernel_arguments.h"

namespace tk {

/// f(x + bias), x [..., cols], bias [cols], f the activation.
Tensor bias_activation(const Tensor& x, const Tensor& bias, Activation activation);
/// dx = dy f'(x + bias); the bias's gradient is its sum over the rows, made beside it if wanted.
Tensor bias_activation_backward(const Tensor& dy, const Tensor& x, const Tensor& bias, Activation activation,
                                const SumTarget& dbias = {});

}  // namespace tk
