#pragma once

#include "tensor/kernel_arguments.h"

namespace tk {

/// Masks [rows] of a row set each (docs/model.md, "Row sets"). Undefined: what there is none of.
struct RowMasks {
  Tensor keys, updated, fed;
};

/// What the gates of a layer make of the masks `before` it (undefined: ones): with one gate keys' = keys g0; with three
/// keys' = keys g0 and updated' = keys' g1, which are the next layer's, and fed = updated keys' g2, this layer's.
/// gates [rows, 1 or 3], or without first rows, as `first` says; offsets [sentences + 1] int32. Dummies behind the last
/// sentence are in no set.
RowMasks gate_masks(const Tensor& gates, const RowMasks& before, const Tensor& offsets, const FirstRowRule& first);

/// dgates, from the masks' gradients `d` (undefined: zero); those of the masks before go to their targets.
Tensor gate_masks_backward(const RowMasks& d, const SumTarget& dkeys_before, const SumTarget& dupdated_before,
                           const Tensor& gates, const RowMasks& before, const Tensor& offsets,
                           const FirstRowRule& first);

}  // namespace tk
