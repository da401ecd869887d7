// Skimming in evaluation: rows are dropped for real, for the whole batch at once, without a loop over sentences. How
// many are left only the device knows: they lie at the front of buffers with room for all, and what works on them works
// on a number of rows that holds them (with_count). What follows the last of them are dummies, which belong to no
// sentence.

#include "tensor/backend.h"
#include "tensor/capture.h"
#include "tensor/ops/elementwise.h"
#include "tensor/ops/gate.h"
#include "tensor/ops/index.h"
#include "transkimmer/skim_encoder.h"

namespace tk {
namespace {

// Numbers of rows that are computed are multiples of this: on a device that records, each is recorded by itself. Fewer
// rows than kLeast do not fill a large GPU, and each size makes the graph longer.
std::int64_t row_step(const Packed& rows, const ForwardOptions& options) {
  constexpr std::int64_t kSizes = 64;
  constexpr std::int64_t kLeast = 128;
  constexpr std::int64_t kMultiple = 64;
  if (options.row_step > 0) return options.row_step;
  if (rows.offsets.device() == Device::kCpu) return 1;
  return std::max(kLeast, (rows.tokens / kSizes + kMultiple - 1) / kMultiple * kMultiple);
}

// Room for the rows of every layer. A row's example names random numbers, of which evaluation has none; its position is
// for who asks what became of a token, and nobody asks a recorded pass.
std::vector<Kept> rooms_for(Packed rows, const Tensor& offsets) {
  rows.example = Tensor();
  if (is_recording(rows.offsets.device())) rows.position = Tensor();
  std::vector<Kept> rooms;
  for (std::int64_t i = 0; i < offsets.shape()[0]; ++i) rooms.push_back(room_for(rows, offsets.select(0, i)));
  return rooms;
}

// Offsets for so many sets of rows.
Tensor room_for_offsets(const Packed& rows, std::size_t sets) {
  return empty({static_cast<std::int64_t>(sets), rows.sentences + 1}, DType::kInt32, rows.offsets.device());
}

// Compacts `packed`, where counts are known to exactly the survivors.
Kept kept_rows(const Packed& packed, const Tensor& mask, bool exact) {
  if (exact) return keep(packed, mask);
  const Kept kept = room_for(packed);
  keep_into(kept, packed, mask);
  return kept;
}

Tensor is_one(const Tensor& mask) { return greater(mask, 0.5); }

}  // namespace

EncoderOutput SkimEncoder::dropped_layer_gate(const Variable& embedded, const Packed& rows, const Context& context,
                                              const ForwardOptions& options) const {
  const bool read_all = options.reads == HeadReads::kAllRows;
  TK_CHECK(
      !read_all || !is_recording(embedded.device()),
      "skim_encoder: a head that reads all rows cannot be recorded");  // it scatters rows, and dummies have no place
  EncoderOutput out;
  const std::size_t last = encoder_.layers.size() - 1;
  const std::int64_t step = read_all ? 1 : row_step(rows, options);
  const Kept first = first_rows(rows);
  const Tensor left = empty_like(embedded.value());  // the rows before a layer, at its front
  Tensor result =
      read_all ? embedded.value().clone() : empty({rows.sentences, left.shape()[1]}, left.dtype(), left.device());
  Tensor origin = arange(rows.tokens, DType::kInt32, left.device());  // the batch's row that each one left is
  out.kept_offsets = room_for_offsets(rows, encoder_.layers.size());
  const std::vector<Kept> kept = rooms_for(rows, out.kept_offsets);
  // Lets rows of x on to a layer.
  const auto pass = [&](std::size_t layer, const Tensor& x, const Packed& before) {
    const Tensor z = predictors[layer](Variable(x)).value().select(1, 0);  // forced shares cost what gates cost
    const Tensor mask = options.keep_shares != nullptr ? evenly_spread_rows(before.tokens, before.offsets, rows.offsets,
                                                                            (*options.keep_shares)[layer])
                                                       : passing_rows(z, config_.skim_threshold, before.offsets);
    keep_into(kept[layer], before, mask);
    const Tensor index = kept[layer].rows.narrow(0, 0, before.tokens);
    index_select_into(left.narrow(0, 0, before.tokens), x, index);
    if (read_all) origin = index_select(origin, index);
  };
  pass(0, embedded.value(), rows);
  for (std::size_t i = 0; i <= last; ++i) {
    const bool only_first = i == last && !read_all;
    with_count(kept[i].packed.count(), rows.tokens, step, [&](std::int64_t n) {
      const Packed here = front(kept[i].packed, n);
      const Kept asking{here.offsets.narrow(0, 0, rows.sentences), first.packed};
      const Variable x(left.narrow(0, 0, n));
      const Tensor y = encoder_.layers[i](x, here, only_first ? &asking : nullptr, Variable(), context).value();
      if (read_all) index_copy_to(result, origin.narrow(0, 0, n), y);
      if (only_first) result.copy_from(y);
      if (i < last) pass(i + 1, y, here);
    });
    const Packed& computed = only_first ? first.packed : kept[i].packed;
    out.layers.push_back({.keys = kept[i].packed,
                          .updated = computed,
                          .fed = computed,
                          .predicted = i == 0 ? rows : kept[i - 1].packed});
  }
  out.x = Variable(result);
  out.rows = read_all ? rows : first.packed;
  return out;
}

EncoderOutput SkimEncoder::dropped_staged_gate(const Variable& embedded, const Packed& rows, const Context& context,
                                               const ForwardOptions& options) const {
  TK_CHECK(options.reads == HeadReads::kFirstRows,
           "skim_encoder: the staged gate's last layer updates first rows only; a head that reads all rows needs "
           "skim_gate layer");
  EncoderOutput out;
  const std::size_t last = encoder_.layers.size() - 1;
  const std::int64_t step = row_step(rows, options);
  const bool exact = step == 1;
  const Kept first = first_rows(rows);
  const Tensor left = embedded.value().clone();  // the rows before a layer, at its front
  const Tensor result = empty({rows.sentences, left.shape()[1]}, left.dtype(), left.device());
  const Tensor updated = full({rows.tokens}, 1, DType::kFloat32, left.device());  // u of those rows
  out.kept_offsets = room_for_offsets(rows, 3 * last);
  const std::vector<Kept> rooms = rooms_for(rows, out.kept_offsets);
  const auto kept = [&](std::size_t i) { return rooms[3 * (i - 1)]; };        // before layer i > 0
  const auto asking = [&](std::size_t i) { return rooms[3 * (i - 1) + 1]; };  // of those rows
  const auto fed = [&](std::size_t i) { return rooms[3 * i + 2]; };           // of the rows before layer i + 1

  // Attention of the rows before layer i; its gates let rows on to the next, and say which of them are fed.
  const auto attend = [&](std::size_t i, const Packed& here) {
    const EncoderLayer& block = encoder_.layers[i];
    const std::int64_t n = here.tokens;
    const Tensor x = left.narrow(0, 0, n), u = updated.narrow(0, 0, n);
    Tensor y;
    const std::int64_t ask = i == 0 ? n : exact ? static_cast<std::int64_t>(asking(i).packed.count().item()) : n;
    if (i == 0 || (exact && ask == n)) {
      y = block.attention(Variable(x), here, nullptr, Variable(), context).value();
    } else {
      const Kept queries = front(asking(i), ask);
      y = index_copy(x, queries.rows, block.attention(Variable(x), here, &queries, Variable(), context).value());
    }
    const Tensor z = predictors[i](Variable(y)).value();
    const auto gate = [&](std::int64_t k) {
      if (options.keep_shares == nullptr) return passing_rows(z.select(1, k), config_.skim_threshold, here.offsets);
      // A share is of the rows that a layer works on; this layer's keys are settled, so its gates choose the next
      // one's.
      const std::vector<double>& shares = *options.keep_shares;
      return evenly_spread_rows(n, here.offsets, rows.offsets, k == 0 ? shares[i + 1] : k == 1 ? 1 : shares[i]);
    };
    keep_into(kept(i + 1), here, gate(0));
    const Kept next = front(kept(i + 1), n);
    const auto on_to_next = [&](const Tensor& mask) { return index_select(mask, next.rows); };
    const Tensor staying = on_to_next(u);
    const Tensor feeding = mul(staying, on_to_next(gate(2)).to(DType::kFloat32));
    keep_into(fed(i), next.packed, is_one(feeding));
    index_select_into(u, gate(1).to(DType::kFloat32), next.rows);
    keep_into(asking(i + 1), next.packed, is_one(u));
    index_select_into(x, y, next.rows);
    const Kept unfed = kept_rows(next.packed, is_one(sub(staying, feeding)), exact);
    index_copy_to(x, unfed.rows, block.feed_forward.norm(Variable(index_select(x, unfed.rows))).value());
  };

  for (std::size_t i = 0; i < last; ++i) {
    const Packed& before = i == 0 ? rows : kept(i).packed;
    if (i == 0) {
      attend(i, rows);
    } else {
      with_count(before.count(), rows.tokens, step, [&](std::int64_t n) { attend(i, front(before, n)); });
    }
    with_count(fed(i).packed.count(), rows.tokens, step, [&](std::int64_t n) {
      const Kept here = front(fed(i), n);
      const Variable y(index_select(left, here.rows));
      index_copy_to(left, here.rows, encoder_.layers[i].feed_forward(y, here.packed, Variable(), context).value());
    });
    out.layers.push_back(
        {.keys = before, .updated = i == 0 ? rows : asking(i).packed, .fed = fed(i).packed, .predicted = before});
  }
  const Packed& before = last == 0 ? rows : kept(last).packed;
  with_count(before.count(), rows.tokens, step, [&](std::int64_t n) {
    const Packed here = front(before, n);
    const Kept queries{here.offsets.narrow(0, 0, rows.sentences), first.packed};
    result.copy_from(
        encoder_.layers[last](Variable(left.narrow(0, 0, n)), here, &queries, Variable(), context).value());
  });
  out.layers.push_back({.keys = before, .updated = first.packed, .fed = first.packed, .predicted = {}});
  out.x = Variable(result);
  out.rows = first.packed;
  return out;
}

}  // namespace tk
