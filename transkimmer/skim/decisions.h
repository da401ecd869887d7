#pragma once

#include "nn/context.h"
#include "transkimmer/skim/gate.h"
#include "transkimmer/skim/pass.h"
#include "transkimmer/skim/predictor.h"

namespace tk {

/// The gates of a batch's rows as columns of zeros and ones. First rows ([CLS]) pass the first of them, or all, as the
/// model's skim_cls says.
class Decisions {
 public:
  Decisions(const Packed& rows, const Config& config);

  /// What the predictor of a layer decides by the states x [rows, hidden]: [rows] a gate. In training samples, with the
  /// noise and the estimator of the options; in evaluation what dropping would keep.
  Variables operator()(const SkimPredictor& predictor, const Variable& x, std::size_t layer, const Context& context,
                       const ForwardOptions& options) const;

 private:
  Variable draw(const SkimPredictor& predictor, const Variable& x, std::size_t layer, const Context& context,
                const ForwardOptions& options) const;
  Variables sample(const SkimPredictor& predictor, const Variable& x, std::size_t layer, const Context& context,
                   const ForwardOptions& options) const;

  Tensor first_rows() const { return rows_.offsets.narrow(0, 0, rows_.sentences); }

  Packed rows_;
  SkimCls cls_;
  Kept asked_;  // the rows that the predictors are asked for; rows undefined: all
  std::int64_t gates_;
};

}  // namespace tk
