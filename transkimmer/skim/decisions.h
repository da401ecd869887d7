#pragma once

#include "nn/context.h"
#include "transkimmer/skim/gate.h"
#include "transkimmer/skim/pass.h"
#include "transkimmer/skim/predictor.h"

namespace tk {

/// What a layer's gates answer, and for whom.
struct GateAnswers {
  Variable gates;      ///< 0 or 1: [rows, gates], or without first rows
  FirstRowRule first;  ///< those pass the first gate, or all, as the model's skim_cls says
};

/// The gates of a batch's rows.
class Decisions {
 public:
  Decisions(const Packed& rows, const Config& config);

  /// What the predictor of a layer decides by the states x [rows, hidden]. In training samples, with the noise and the
  /// estimator of the options; in evaluation what dropping would keep.
  GateAnswers operator()(const SkimPredictor& predictor, const Variable& x, std::size_t layer, const Context& context,
                         const ForwardOptions& options) const;

 private:
  Variable draw(const SkimPredictor& predictor, const Variable& x, std::size_t layer, const Context& context,
                const ForwardOptions& options) const;
  Variable passing(const SkimPredictor& predictor, const Variable& x, const Tensor& state) const;

  Packed rows_;
  SkimCls cls_;
  Kept asked_;  // the rows that the predictors are asked for; rows undefined: all
  std::int64_t gates_;
};

}  // namespace tk
