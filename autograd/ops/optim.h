#pragma once

#include "autograd/variable.h"

namespace tk {

/// a (C - t) + 5 relu(C - t)^2 for the cost C (rank 0), with the multiplier a and the budget t of the step state.
Variable budget_loss(const Variable& cost, const Tensor& state);

}  // namespace tk
