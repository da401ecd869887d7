#pragma once

#include "nn/context.h"
#include "transkimmer/skim/gate.h"
#include "transkimmer/skim/predictor.h"

namespace tk {

/// The gates of a batch's rows as columns of zeros and ones. First rows ([CLS]) have none: they always pass.
class Decisions {
 public:
  Decisions(const Packed& rows, const GateTraits& gate);

  /// What the predictor of a layer decides by the states x [rows, hidden]: [rows] a gate. In training straight-through
  /// samples, with `noise` in place of the random stream where it is given; in evaluation what dropping would keep.
  Variables operator()(const SkimPredictor& predictor, const Variable& x, std::size_t layer, const Context& context,
                       const Tensor* noise) const;

 private:
  Variables sample(const SkimPredictor& predictor, const Variable& x, std::size_t layer, const Context& context,
                   const Tensor* noise) const;

  Packed rows_;
  Kept rest_;  // all rows but the first of each sentence
  std::int64_t gates_;
};

}  // namespace tk
