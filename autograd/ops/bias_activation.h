#pragma once

#include "autograd/variable.h"
#include "tensor/activation.h"

namespace tk {

/// f(x + bias), x [..., cols], bias [cols], f the activation.
Variable bias_activation(const Variable& x, const Variable& bias, Activation activation);

}  // namespace tk
