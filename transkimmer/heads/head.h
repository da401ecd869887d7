#pragma once

#include <memory>

#include "nn/context.h"
#include "nn/parameter.h"
#include "transkimmer/skim/pass.h"

namespace tk {

struct WeightNames;

/// What makes answers of the encoder's rows.
class Head {
 public:
  virtual ~Head() = default;

  virtual HeadReads reads() const = 0;
  /// A row of logits for each label of the batch, in the encoder's dtype: [sentences, labels] or [tokens, labels]. The
  /// last of encoded.rows may be dummies (data/batch.h), which belong to no sentence.
  virtual Variable operator()(const EncoderOutput& encoded, const Context& context) const = 0;
  virtual void collect(ParameterList& list, const WeightNames& names) = 0;
};

/// The head that the configuration's architecture names.
std::unique_ptr<Head> make_head(const Config& config);

}  // namespace tk
