#include "transkimmer/heads/token_head.h"

#include "transkimmer/families/family.h"

namespace tk {

TokenHead::TokenHead(const Config& config)
    : classifier_(config.hidden_size, config.num_labels(), true, Init::kZeros),
      dropout_{config.head_dropout(), {Purpose::kHeadDropout}} {}

Variable TokenHead::operator()(const EncoderOutput& encoded, const Context& context) const {
  return classifier_(dropout_(encoded.x, encoded.rows, context));
}

void TokenHead::collect(ParameterList& list, const WeightNames& names) { classifier_.collect(list, names.classifier); }

}  // namespace tk
