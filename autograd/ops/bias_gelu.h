#pragma once

#include "autograd/variable.h"

namespace tk {

/// gelu(x + bias), x [..., cols], bias [cols].
Variable bias_gelu(const Variable& x, const Variable& bias);

}  // namespace tk
