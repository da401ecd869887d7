#pragma once

#include "autograd/variable.h"

namespace tk {

/// y[i] = x[0] + ... + x[i] along dimension `dim`.
Variable cumsum(const Variable& x, std::int64_t dim);

}  // namespace tk
