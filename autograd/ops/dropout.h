#pragma once

#include "autograd/variable.h"
#include "tensor/kernel_arguments.h"

namespace tk {

/// x [rows, cols] with each element zeroed with probability key.p, else scaled by 1 / (1 - p); p = 0 is the identity.
Variable dropout(const Variable& x, const DropoutKey& key);

}  // namespace tk
