#pragma once

#include <vector>

#include "autograd/ops/gate_masks.h"
#include "tensor/ops/mac_share.h"

namespace tk {

/// One layer under masks; see MaskedLayer.
struct MaskedLayerVariables {
  MaskVariables masks;
  MaskedLayer::Predicted predicted = MaskedLayer::Predicted::kNone;
  bool updates_first = false;
};

struct MacShareOutput {
  Variable share;  ///< rank 0
  Tensor dense;    ///< rank 0
};
/// What masked layers cost of a dense model's MACs: tensor/ops/mac_share.h.
MacShareOutput mac_share(const std::vector<MaskedLayerVariables>& layers, const Tensor& offsets,
                         const MacCoefficients& c);

}  // namespace tk
