#pragma once

#include <functional>
#include <memory>
#include <span>

#include "nn/context.h"
#include "nn/encoder_layer.h"
#include "transkimmer/skim/pass.h"
#include "transkimmer/skim/predictor.h"

namespace tk {

/// What row sets are made of: the model's parts and the batch. All of it outlives the pass.
struct PassInputs {
  const Config& config;
  std::span<const EncoderLayer> layers;
  std::span<const SkimPredictor> predictors;
  const Packed& rows;
  const Context& context;
  const ForwardOptions& options;
};

/// The states of a batch's rows on their way through the layers, each of which works on three nested sets of them
/// (docs/model.md, "Row sets"): R is read as keys, U is updated, F is fed forward. SkimEncoder says what happens when;
/// how a set is made (as all rows, as a mask, by dropping the rest) is what the kinds of RowSets differ in.
class RowSets {
 public:
  virtual ~RowSets() = default;
  RowSets(const RowSets&) = delete;
  RowSets& operator=(const RowSets&) = delete;

  /// Calls `work` on the rows of R: attend(), and what follows on these rows.
  virtual void on_keys(std::size_t /*layer*/, const std::function<void()>& work) { work(); }
  /// Calls `work`, which begins with feed(), on the rows of F; where F is U it belongs to on_keys.
  virtual void on_fed(std::size_t /*layer*/, const std::function<void()>& work) { work(); }

  /// y = LN1(x + attention(x)) on U, which asks, over R.
  virtual void attend(std::size_t layer) = 0;
  /// Asks the layer's predictor. A gate before attention decides on R = U = F of this layer, one after it on F, and on
  /// R and U of the next.
  virtual void decide(std::size_t layer) = 0;
  /// x = LN2(y + FFN(y)) on F, LN2(y) on the rest of U, y elsewhere.
  virtual void feed(std::size_t layer) = 0;

  /// The rows that the head reads, and what became of the others; once, after the last layer.
  virtual EncoderOutput output() = 0;

 protected:
  explicit RowSets(const PassInputs& in);

  const RowSetTable::Layer& sets(std::size_t layer) const { return out_.sets.layers[layer]; }
  bool reads_all() const { return in_.options.reads == HeadReads::kAllRows; }
  bool is_last(std::size_t layer) const { return layer + 1 == in_.layers.size(); }
  /// The layer computes the first rows alone, since the head reads no others.
  bool only_first(std::size_t layer) const { return is_last(layer) && !reads_all(); }
  /// Whether the layer attends without keys and values: where the options allow it and it pays. The table says so.
  bool attends_unprojected(std::size_t layer, const Packed& keys, const Packed& asking);
  /// Whether query, key and value of the layer's rows are known. The table says so.
  bool attends_from_tables(std::size_t layer);
  /// Room for the sets that the gates choose; the output's table is of what will be in it.
  std::vector<Kept> make_rooms();

  const PassInputs in_;
  const GateTraits& gate_;
  const Kept first_;  // rows of the sentences
  EncoderOutput out_;
};

/// All rows in every set: the dense model.
std::unique_ptr<RowSets> all_rows(const Variable& x, const PassInputs& in);
/// Every row is computed, and masks say what counts, with straight-through gradients: training, and paper attention.
std::unique_ptr<RowSets> masked_rows(const Variable& x, const PassInputs& in);
/// What is in no set is not computed: evaluation.
std::unique_ptr<RowSets> dropped_rows(const Variable& x, const PassInputs& in);
/// The same where the device reads how many rows a set has: there is one sequence of kernels for any numbers of them.
std::unique_ptr<RowSets> counted_rows(const Variable& x, const PassInputs& in);
/// Whether that is possible for a model whose head reads these rows, on a device and in a dtype.
bool can_count_rows(const Config& config, HeadReads reads, Device device, DType dtype);

}  // namespace tk
