#pragma once

#include <cstdint>
#include <vector>

#include "autograd/ops/gate_masks.h"
#include "autograd/variable.h"
#include "tensor/packed.h"
#include "transkimmer/skim/costs.h"

// What a pass through the encoder is asked for, and what it gives.
namespace tk {

class EmbeddingTables;
struct ChosenEstimator;

/// Which rows the head reads, and so which the last layer must compute.
enum class HeadReads : std::uint8_t {
  kFirstRows,  ///< [CLS] of each sentence
  kAllRows     ///< every row, one that was let go in the state in which it was
};

struct ForwardOptions {
  HeadReads reads = HeadReads::kFirstRows;
  /// Training: the gates' logistic noise [rows but first rows, gates] for each predictor, [rows, gates] where [CLS] is
  /// free, in place of the random stream.
  const std::vector<Tensor>* noise = nullptr;
  /// Training: what the gates decide, [rows but first rows, gates] for each predictor (or [rows, gates]), in place of
  /// samples; no predictor is asked.
  const Variables* gates = nullptr;
  /// Training: gets what each predictor says of the rows that it is asked for, z [rows, gates].
  std::vector<Tensor>* scores = nullptr;
  /// Training: how a gradient passes the gates, pathwise (autograd/estimators/estimators.h); none: straight-through
  /// Gumbel-softmax.
  const ChosenEstimator* estimator = nullptr;
  /// Training: a gate passes above the state's skim_threshold, as in evaluation, not above 0.
  bool above_threshold = false;
  /// Evaluation: the share of a sentence's tokens that is key, updated and fed in each layer, in place of the gates;
  /// its first row is among them. Only where rows are dropped.
  const std::vector<double>* keep_shares = nullptr;
  /// Evaluation: the rows that are left are computed in multiples of this, dummies among them; 0 chooses by the device.
  std::int64_t row_step = 0;
  /// Evaluation, where no gradient is recorded: layers may attend in the ways that need fewer MACs for the same numbers
  /// (Attending), to rounding. On the CPU; elsewhere they do not pay.
  bool exact_transforms = false;
  /// Likewise: where layer 0's query, key and value come from, and rows of them are kept. Only where the tables serve.
  EmbeddingTables* tables = nullptr;
  Tensor projected = {};  ///< what the classifier got from them, [rows, 3 hidden]; for the encoder
};

/// Which rows each layer of a pass works on. A set that the gates choose has a number, a row of `offsets`.
struct RowSetTable {
  // Sets that are known beforehand.
  static constexpr std::int64_t kAll = -1;    ///< the batch's rows
  static constexpr std::int64_t kFirst = -2;  ///< the first row of each sentence
  static constexpr std::int64_t kNone = -3;

  struct Layer {
    std::int64_t keys = kAll;
    std::int64_t updated = kAll;
    std::int64_t fed = kAll;
    std::int64_t predicted = kNone;  ///< those before its predictor, which is asked for them (SkimCls)
    Attending attending = Attending::kProjected;
  };
  std::vector<Layer> layers;
  /// [sets, sentences + 1] int32, on the device: one copy brings all sets to the host. Undefined where no set is
  /// chosen, and in training, where masks stand for the sets.
  Tensor offsets;
  /// For each set its rows' positions in the original sentences [its rows, or more]; undefined in a recorded pass.
  std::vector<Tensor> positions;

  /// The number of sets that the gates choose.
  std::int64_t size() const;
};

/// How many rows each sentence has in each layer's sets. `offsets` are those of the table, on the CPU, where they have
/// been brought already; `batch` is what the pass was given, anywhere.
std::vector<LayerRows> count_rows(const RowSetTable& sets, const Packed& batch, const Tensor& offsets);
std::vector<LayerRows> count_rows(const RowSetTable& sets, const Packed& batch);

/// The positions of a set's rows in the original sentences, in the order of the batch.
std::vector<std::int32_t> positions(const RowSetTable& sets, std::int64_t set, const Packed& batch);

struct EncoderOutput {
  Variable x;   ///< the rows that the head reads, [rows, hidden]
  Packed rows;  ///< their structure
  RowSetTable sets;
  bool masked = false;  ///< every row was computed, and masks say which of them count

  // Under masks.
  Variable cost;                     ///< the batch's MACs over the dense model's, differentiable in every gate; rank 0
  Tensor dense_macs;                 ///< the dense model's, in units that the model's configuration fixes; rank 0
  Variable skim_loss;                ///< published gate: mean over layers of kept rows / rows; rank 0
  std::vector<MaskVariables> masks;  ///< of each layer, zeros and ones (published gate: keys alone)
};

}  // namespace tk
