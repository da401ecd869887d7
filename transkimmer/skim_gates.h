#pragma once

#include <vector>

#include "nn/context.h"
#include "transkimmer/skim_encoder.h"

// What both ways to skim share: the gates of a layer as columns of zeros and ones.
namespace tk {

/// The gates of a batch's rows. First rows ([CLS]) have none: they always pass.
class SkimGates {
 public:
  SkimGates(const Packed& rows, std::int64_t gates);

  /// Training: straight-through samples, one Variable [rows] a gate.
  Variables sample(const SkimPredictor& predictor, const Variable& x, std::uint8_t layer, const Context& context,
                   const Tensor* noise) const;
  /// Evaluation: z > threshold, one tensor [rows] a gate; what passes here is what dropping keeps.
  Tensors decide(const SkimPredictor& predictor, const Variable& x, double threshold) const;

 private:
  Packed rows_;
  Kept rest_;  // all rows but the first of each sentence
  std::int64_t gates_;
};

}  // namespace tk
