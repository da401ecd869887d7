#pragma once

#include "autograd/variable.h"

namespace tk {

/// (x - mean) rstd gamma + beta along the last dimension; gamma and beta [cols].
Variable layer_norm(const Variable& x, const Variable& gamma, const Variable& beta, double epsilon);

}  // namespace tk
