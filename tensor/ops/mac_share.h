#pragma once

#include "tensor/kernel_arguments.h"
#include "tensor/mac_coefficients.h"

namespace tk {

struct MacShare {
  Tensor share;   ///< MACs of the masked layers and the head over `dense`; rank 0
  Tensor dense;   ///< those of the same layers with all rows, in the coefficients' unit; rank 0
  Tensor counts;  ///< [layers, 3, sentences]: sums of the masks that there are, for the backward
};

/// What masked layers cost of a dense model's MACs, by the formula of tensor/mac_coefficients.h summed over sentences:
/// a soft mask counts by its value. offsets [sentences + 1] int32; masks [rows] of `dtype`.
MacShare mac_share(const MaskedLayers& masks, const Tensor& offsets, const MacCoefficients& c,
                   DType dtype = DType::kFloat32);
/// Sends dshare to the masks whose targets are wanted; dummies behind the last sentence get zeros.
void mac_share_backward(const MaskTargets& to, const Tensor& dshare, const MacShare& forward, const MaskedLayers& masks,
                        const Tensor& offsets, const MacCoefficients& c);

}  // namespace tk
