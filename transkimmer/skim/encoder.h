#pragma once

#include <vector>

#include "nn/encoder_layer.h"
#include "transkimmer/skim/pass.h"
#include "transkimmer/skim/predictor.h"

namespace tk {

class RowSets;
struct WeightNames;

/// The encoder layers with their skim predictors. Each layer works on three nested row sets (keys, updated, fed
/// forward); dense, published and staged skimming and the last layer are cases of that. Training computes all rows
/// under masks, so that the gates learn; evaluation drops rows for the whole batch at once, one compaction a set. Paper
/// attention, which no dropping reproduces, is evaluated under masks.
class SkimEncoder {
 public:
  SkimEncoder() = default;
  explicit SkimEncoder(const Config& config);

  /// x [rows, hidden], the embeddings' output. Every sentence has at least one row. With gates the context has a state,
  /// of which evaluation reads the threshold.
  EncoderOutput operator()(const Variable& x, const Packed& rows, const Context& context,
                           const ForwardOptions& options = {}) const;
  void collect(ParameterList& list, const WeightNames& names);

  std::vector<EncoderLayer> layers;
  std::vector<SkimPredictor> predictors;

 private:
  EncoderOutput run(RowSets& sets) const;

  Config config_;
};

}  // namespace tk
