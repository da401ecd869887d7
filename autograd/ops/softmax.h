#pragma once

#include "autograd/variable.h"

namespace tk {

/// Along the last dimension.
Variable softmax(const Variable& x);
Variable log_softmax(const Variable& x);

}  // namespace tk
