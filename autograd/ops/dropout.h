#pragma once

#include "autograd/variable.h"
#include "tensor/kernel_arguments.h"
#include "tensor/ops/random.h"

namespace tk {

/// x [rows, cols] with each element zeroed with probability key.p, else scaled by 1 / (1 - p); p = 0 is the identity.
Variable dropout(const Variable& x, const DropoutKey& key);

/// The same of any shape, with numbers named by `draw` alone: a row is the last dimension.
Variable dropout(const Variable& x, double p, const Draw& draw);

}  // namespace tk
