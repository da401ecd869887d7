#pragma once

#include "tensor/kernel_arguments.h"
#include "tensor/mac_coefficients.h"

// What one sentence costs in masked layers, and its slopes, for both backends.
namespace tk::math {

/// Which masks of a layer there are, and what else its cost depends on.
struct LayerCosting {
  bool keys, updated, fed;
  MaskedLayer::Predicted predicted;
  bool updates_first;

  explicit LayerCosting(const MaskedLayer& layer)
      : keys(layer.keys.defined()),
        updated(layer.updated.defined()),
        fed(layer.fed.defined()),
        predicted(layer.predicted),
        updates_first(layer.updates_first) {}
  LayerCosting() = default;
};

/// A sentence's rows in a layer's sets, or slopes in them. Where a mask is missing, they are those of the set before.
struct RowCounts {
  double keys, updated, fed;

  TK_HOST_DEVICE RowCounts(const LayerCosting& layer, double n, double sum_keys, double sum_updated, double sum_fed) {
    keys = layer.keys ? sum_keys : n;
    updated = layer.updates_first ? 1 : layer.updated ? sum_updated : keys;
    fed = layer.fed ? sum_fed : updated;
  }
  TK_HOST_DEVICE RowCounts(double keys, double updated, double fed) : keys(keys), updated(updated), fed(fed) {}
};

/// MACs of a sentence in a layer; `before` are the keys of the layer before, all rows before the first.
TK_HOST_DEVICE double macs_of(const LayerCosting& layer, const RowCounts& rows, double before,
                              const MacCoefficients& c) {
  const double macs = layer_macs(c, rows.keys, rows.updated, rows.fed);
  if (layer.predicted == MaskedLayer::Predicted::kNone) return macs;
  return macs + predictor_macs(c, layer.predicted == MaskedLayer::Predicted::kKeys ? rows.keys : before);
}

/// Slopes in the sums of the masks that there are. `next_asks`: the keys enter the next layer's predictor.
TK_HOST_DEVICE RowCounts slopes_of(const LayerCosting& layer, const RowCounts& rows, bool next_asks,
                                   const MacCoefficients& c) {
  const bool predicts = layer.predicted == MaskedLayer::Predicted::kKeys;
  double keys = c.row + c.pair * rows.updated + (predicts ? c.predict : 0) + (next_asks ? c.predict : 0);
  double updated = layer.updates_first ? 0 : c.row + c.pair * rows.keys;
  const double fed = c.feed;
  if (!layer.fed && !layer.updates_first) updated += fed;
  if (!layer.updated) keys += updated;
  return {keys, updated, fed};
}

}  // namespace tk::math
