#pragma once

#include <string>

#include "nn/layer_norm.h"
#include "nn/linear.h"
#include "transkimmer/config.h"

namespace tk {

/// s = W2 GELU(LN2(W1 LN1(h) + b1)) + b2 (Guan et al., ACL 2022, section 3): how much a layer wants each token.
class SkimPredictor {
 public:
  SkimPredictor() = default;
  explicit SkimPredictor(const Config& config);

  /// h [rows, hidden]. Published gate: [rows, 1], z = s[1] - s[0] (keep less skim). Staged: the three gates, [rows, 3].
  /// z has h's row_dtype. Where nothing is recorded for a backward and has_gate_scores, or w is
  /// packed, it is one kernel.
  Variable operator()(const Variable& h) const;
  /// Its parameters for rows of a dtype, as one kernel takes them.
  PredictorWeights weights(DType dtype) const;
  void collect(ParameterList& list, const std::string& path);

  Linear hidden;
  Linear output;

 private:
  // All but the first product's.
  PredictorWeights parameters() const;

  LayerNorm input_norm_, hidden_norm_;
};

}  // namespace tk
