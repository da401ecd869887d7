#pragma once

#include "nn/layer_names.h"

namespace tk::test {

/// What BERT calls the parts of a layer; the golden values have these names.
inline constexpr EncoderLayerNames kNames = {
    .attention = {"attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense",
                  "attention.output.LayerNorm"},
    .feed_forward = {"intermediate.dense", "output.dense", "output.LayerNorm"}};

}  // namespace tk::test
