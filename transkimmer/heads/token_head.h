#pragma once

#include "nn/dropout.h"
#include "nn/linear.h"
#include "transkimmer/heads/head.h"

namespace tk {

/// One answer a token, by its last state: classifier(dropout(x)).
class TokenHead final : public Head {
 public:
  explicit TokenHead(const Config& config);

  HeadReads reads() const override { return HeadReads::kAllRows; }
  Variable operator()(const EncoderOutput& encoded, const Context& context) const override;
  void collect(ParameterList& list, const WeightNames& names) override;

 private:
  Linear classifier_;
  Dropout dropout_;
};

}  // namespace tk
