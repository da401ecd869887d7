#pragma once

#include "autograd/variable.h"

namespace tk {

/// a @ b for two matrices, or batch by batch for rank 3.
Variable matmul(const Variable& a, const Variable& b);
/// x [n, in] @ w [out, in]^T + bias [out]; bias may be undefined. The weight's gradient is accumulated by the product
/// itself, in place.
Variable linear(const Variable& x, const Variable& w, const Variable& bias);

}  // namespace tk
