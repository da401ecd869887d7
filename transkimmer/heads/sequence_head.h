#pragma once

#include "nn/dropout.h"
#include "nn/linear.h"
#include "transkimmer/heads/head.h"

namespace tk {

/// One answer a sentence, by its first row: classifier(dropout(tanh(pooler(x)))).
class SequenceHead final : public Head {
 public:
  explicit SequenceHead(const Config& config);

  HeadReads reads() const override { return HeadReads::kFirstRows; }
  Variable operator()(const EncoderOutput& encoded, const Context& context) const override;
  void collect(ParameterList& list, const WeightNames& names) override;

 private:
  Linear pooler_;
  Linear classifier_;
  Dropout dropout_;
};

}  // namespace tk
