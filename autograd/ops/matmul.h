#pragma once

#include "autograd/variable.h"

namespace tk {

/// a @ b for two matrices; of more dimensions the last two are matrices, and those before them batches, which
/// broadcast. [..., m, k] @ [k, n] is one product.
Variable matmul(const Variable& a, const Variable& b);
/// x [..., in] @ w [out, in]^T + bias [out]; bias may be undefined. The weight's gradient is accumulated by the product
/// itself, in place.
Variable linear(const Variable& x, const Variable& w, const Variable& bias);

}  // namespace tk
