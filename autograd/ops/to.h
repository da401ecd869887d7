#pragma once

#include "autograd/variable.h"

namespace tk {

/// x in another float dtype; the gradient goes back in x's own.
Variable to(const Variable& x, DType dtype);
/// x on another device; the gradient goes back to x's own.
Variable to(const Variable& x, Device device);

}  // namespace tk
