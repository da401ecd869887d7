#include "autograd/ops/mac_share.h"

#include <algorithm>

namespace tk {
namespace {

// By their places among the node's inputs: three a layer.
const Variable& mask(const MaskedLayerVariables& layer, std::size_t set) {
  return set == 0 ? layer.masks.keys : set == 1 ? layer.masks.updated : layer.masks.fed;
}

}  // namespace

MacShareOutput mac_share(const std::vector<MaskedLayerVariables>& layers, const Tensor& offsets,
                         const MacCoefficients& c) {
  constexpr std::size_t kSets = 3;
  MaskedLayers masks;
  Variables inputs;
  for (const MaskedLayerVariables& layer : layers) {
    masks.layers.push_back({.keys = layer.masks.keys.value(),
                            .updated = layer.masks.updated.value(),
                            .fed = layer.masks.fed.value(),
                            .predicted = layer.predicted,
                            .updates_first = layer.updates_first});
    for (std::size_t set = 0; set < kSets; ++set) inputs.push_back(mask(layer, set));
  }
  const auto given = std::ranges::find_if(inputs, &Variable::defined);
  const MacShare out = mac_share(masks, offsets, c, given == inputs.end() ? DType::kFloat32 : given->dtype());
  const Variable share =
      record("mac_share", out.share, inputs, [out, masks, offsets, c](const Tensor& dshare, Destinations& to) {
        MaskTargets targets;
        for (std::size_t l = 0; l < masks.layers.size(); ++l) {
          targets.layers.push_back({.keys = to.target_if_wanted(kSets * l),
                                    .updated = to.target_if_wanted(kSets * l + 1),
                                    .fed = to.target_if_wanted(kSets * l + 2)});
        }
        mac_share_backward(targets, dshare, out, masks, offsets, c);
      });
  return {share, out.dense};
}

}  // namespace tk
