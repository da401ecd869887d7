#pragma once

#include <string>
#include <vector>

#include "nn/encoder_layer.h"
#include "transkimmer/config.h"

namespace tk {

/// The stack of encoder layers.
struct BertEncoder {
  std::vector<EncoderLayer> layers;

  BertEncoder() = default;
  explicit BertEncoder(const Config& config);

  void collect(ParameterList& list, const std::string& path);
};

}  // namespace tk
