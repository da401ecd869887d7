#include "transkimmer/heads/sequence_head.h"

#include "autograd/ops/elementwise.h"
#include "transkimmer/families/family.h"

namespace tk {

SequenceHead::SequenceHead(const Config& config)
    : pooler_(config.hidden_size, config.hidden_size, true, Init::kZeros),
      classifier_(config.hidden_size, config.num_labels(), true, Init::kZeros),
      dropout_{config.head_dropout(), {Purpose::kHeadDropout}} {}

Variable SequenceHead::operator()(const EncoderOutput& encoded, const Context& context) const {
  const Variable pooled = tanh(pooler_(encoded.x));
  return classifier_(dropout_(pooled, encoded.rows, context));
}

void SequenceHead::collect(ParameterList& list, const WeightNames& names) {
  pooler_.collect(list, names.pooler);
  classifier_.collect(list, names.classifier);
}

}  // namespace tk
