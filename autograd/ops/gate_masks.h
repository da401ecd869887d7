#pragma once

#include "autograd/variable.h"
#include "tensor/kernel_arguments.h"

namespace tk {

/// Masks [rows] of row sets; what is undefined has all that the set before has (tensor/ops/gate_masks.h).
struct MaskVariables {
  Variable keys, updated, fed;
};

/// What the gates [rows, 1 or 3] of a layer make of the masks before it: with three the next layer's keys and updated,
/// and this layer's fed; with one, keys. See tensor/ops/gate_masks.h.
MaskVariables gate_masks(const Variable& gates, const MaskVariables& before, const Tensor& offsets,
                         const FirstRowRule& first);

}  // namespace tk
