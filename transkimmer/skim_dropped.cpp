// Skimming in evaluation: rows are dropped for real. Each row set is one compaction for the whole batch; there is no
// masked product and no loop over sentences.

#include "autograd/ops/index.h"
#include "tensor/ops/elementwise.h"
#include "transkimmer/skim_encoder.h"
#include "transkimmer/skim_gates.h"

namespace tk {
namespace {

Variable rows_at(const Variable& x, const Kept& kept) {
  return kept.packed.tokens == x.shape()[0] ? x : index_select(x, kept.rows);
}

Variable with_rows(const Variable& x, const Kept& kept, const Variable& rows) {
  if (kept.packed.tokens == 0) return x;
  return kept.packed.tokens == x.shape()[0] ? rows : index_copy(x, kept.rows, rows);
}

Tensor mask_at(const Tensor& mask, const Kept& kept) { return index_select(mask, kept.rows); }

}  // namespace

EncoderOutput SkimEncoder::dropped_layer_gate(Variable x, Packed rows, const Context& context,
                                              const ForwardOptions& options) const {
  EncoderOutput out;
  const Packed original = rows;
  const bool read_all = options.reads == HeadReads::kAllRows;
  Variable final_state = x;                                            // of every original row
  Tensor origin = arange(original.tokens, DType::kInt32, x.device());  // original row of each row that is left
  for (std::size_t i = 0; i < encoder_.layers.size(); ++i) {
    const SkimGates gates(rows, 1);
    Tensor mask = gates.decide(predictors[i], x, config_.skim_threshold)[0];
    if (options.keep_shares != nullptr) mask = evenly_kept(rows, original, (*options.keep_shares)[i]);
    const Kept kept = keep_ones(rows, mask);
    x = rows_at(x, kept);
    origin = index_select(origin, kept.rows);
    rows = kept.packed;
    const Kept first = first_rows(rows);
    const bool only_first = i + 1 == encoder_.layers.size() && !read_all;
    x = encoder_.layers[i](x, rows, only_first ? &first : nullptr, Variable(), context);
    const Packed& computed = only_first ? first.packed : rows;
    out.layers.push_back({.keys = rows, .updated = computed, .fed = computed, .predicted = gates.gated_rows()});
    out.rows = computed;
    if (read_all) final_state = index_copy(final_state, origin, x);
  }
  out.x = read_all ? final_state : x;
  if (read_all) out.rows = original;
  return out;
}

EncoderOutput SkimEncoder::dropped_staged_gate(Variable x, Packed rows, const Context& context,
                                               const ForwardOptions& options) const {
  TK_CHECK(options.reads == HeadReads::kFirstRows,
           "skim_encoder: the staged gate's last layer updates first rows only; a head that reads all rows needs "
           "skim_gate layer");
  EncoderOutput out;
  const Packed original = rows;
  Tensor updated = full({rows.tokens}, 1, DType::kFloat32, x.device());  // u of the rows that are left
  const std::size_t last = encoder_.layers.size() - 1;
  for (std::size_t i = 0; i < last; ++i) {
    const EncoderLayer& block = encoder_.layers[i];
    const Kept asking = keep_ones(rows, updated);
    const bool all_ask = asking.packed.tokens == rows.tokens;
    const Variable attended = block.attention(x, rows, all_ask ? nullptr : &asking, Variable(), context);
    const Variable y = with_rows(x, asking, attended);
    const SkimGates gates(rows, 3);
    Tensors gate = gates.decide(predictors[i], y, config_.skim_threshold);
    if (options.keep_shares != nullptr) {
      // A share is of the rows that a layer works on; this layer's keys are settled, so its gates choose the next
      // one's.
      gate[0] = evenly_kept(rows, original, (*options.keep_shares)[i + 1]);
      gate[1] = full({rows.tokens}, 1, DType::kFloat32, x.device());
      gate[2] = evenly_kept(rows, original, (*options.keep_shares)[i]);
    }
    const Kept kept = keep_ones(rows, gate[0]);
    const Tensor staying = mask_at(updated, kept);
    const Tensor fed = mul(staying, mask_at(gate[2], kept));
    const Kept fed_rows = keep_ones(kept.packed, fed);
    const Kept unfed_rows = keep_ones(kept.packed, sub(staying, fed));
    const Variable z = rows_at(y, kept);
    x = with_rows(z, fed_rows, block.feed_forward(rows_at(z, fed_rows), fed_rows.packed, Variable(), context));
    x = with_rows(x, unfed_rows, block.feed_forward.norm(rows_at(z, unfed_rows)));
    out.layers.push_back(
        {.keys = rows, .updated = asking.packed, .fed = fed_rows.packed, .predicted = gates.gated_rows()});
    updated = mask_at(gate[1], kept);
    rows = kept.packed;
  }
  const Kept first = first_rows(rows);
  out.x = encoder_.layers[last](x, rows, &first, Variable(), context);
  out.rows = first.packed;
  out.layers.push_back({.keys = rows, .updated = first.packed, .fed = first.packed, .predicted = {}});
  return out;
}

}  // namespace tk
