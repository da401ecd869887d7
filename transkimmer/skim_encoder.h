#pragma once

#include <string>
#include <vector>

#include "transkimmer/bert_encoder.h"
#include "transkimmer/macs.h"
#include "transkimmer/skim_predictor.h"

namespace tk {

/// Which rows the head reads, and so which the last layer must compute.
enum class HeadReads : std::uint8_t {
  kFirstRows,  ///< [CLS] of each sentence
  kAllRows     ///< every row, a skimmed one in the state in which it was skimmed
};

struct ForwardOptions {
  HeadReads reads = HeadReads::kFirstRows;
  /// Training: the gates' logistic noise [rows but first rows, gates] for each predictor, in place of the random
  /// stream.
  const std::vector<Tensor>* noise = nullptr;
  /// Evaluation: the share of a sentence's tokens that is key, updated and fed in each layer, in place of the gates.
  const std::vector<double>* keep_shares = nullptr;
  /// Evaluation: the rows that are left are computed in multiples of this, dummies among them; 0 chooses by the device.
  std::int64_t row_step = 0;
};

/// What a training pass under masks decided for one layer: 0 or 1 a row. A defined weight that is not skimmed is 1.
struct LayerMasks {
  Variable keys;     ///< r (published gate: m)
  Variable updated;  ///< u
  Variable fed;      ///< f
};

struct EncoderOutput {
  Variable x;          ///< the rows that the head reads, [rows, hidden]
  Packed rows;         ///< their structure
  Variable cost;       ///< under masks: the batch's MACs over the dense model's, differentiable in every gate; rank 0
  Variable skim_loss;  ///< under masks, published gate: mean over layers of kept rows / rows; rank 0
  std::vector<LayerMasks> masks;  ///< under masks
  std::vector<LayerRows> layers;  ///< where rows are dropped for real (and in the dense model)
  Tensor kept_offsets;  ///< where rows are dropped: [n, sentences + 1], of which the layers' offsets are rows, so that
                        ///< one copy brings them all
};

/// The encoder with its skim predictors. Each layer works on three nested row sets (keys, updated, fed forward); dense,
/// published and staged skimming and the last layer are cases of that. Training computes all rows under masks, so that
/// the gates learn; evaluation drops rows for the whole batch at once, one compaction a set. Paper attention, which
/// no dropping reproduces, is evaluated under masks.
class SkimEncoder {
 public:
  SkimEncoder() = default;
  explicit SkimEncoder(const Config& config);

  /// x [rows, hidden], the embeddings' output. Every sentence has at least one row.
  EncoderOutput operator()(const Variable& x, const Packed& rows, const Context& context,
                           const ForwardOptions& options = {}) const;
  void collect(ParameterList& list, const std::string& path);
  void set_threshold(double threshold) { config_.skim_threshold = threshold; }

  std::vector<SkimPredictor> predictors;

 private:
  EncoderOutput dense(Variable x, const Packed& rows, const Context& context, const ForwardOptions& options) const;
  EncoderOutput masked_layer_gate(Variable x, const Packed& rows, const Context& context,
                                  const ForwardOptions& options) const;
  EncoderOutput masked_staged_gate(Variable x, const Packed& rows, const Context& context,
                                   const ForwardOptions& options) const;
  EncoderOutput dropped_layer_gate(const Variable& embedded, const Packed& rows, const Context& context,
                                   const ForwardOptions& options) const;
  EncoderOutput dropped_staged_gate(const Variable& embedded, const Packed& rows, const Context& context,
                                    const ForwardOptions& options) const;

  Config config_;
  BertEncoder encoder_;
};

}  // namespace tk
