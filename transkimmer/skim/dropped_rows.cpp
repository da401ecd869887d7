// Skimming in evaluation: rows are dropped for real, for the whole batch at once, without a loop over sentences. How
// many are left only the device knows: they lie at the front of buffers with room for all, and what works on them works
// on a number of rows that holds them (with_count). What follows the last of them are dummies, which belong to no
// sentence.

#include <algorithm>
#include <utility>

#include "tensor/backend.h"
#include "tensor/capture.h"
#include "tensor/ops/elementwise.h"
#include "tensor/ops/gate.h"
#include "tensor/ops/index.h"
#include "transkimmer/skim/row_sets.h"

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

Tensor is_one(const Tensor& mask) { return greater(mask, 0.5); }

// Lets the front of `buffer` be the rows of itself that `index` names; a dummy gets zeros.
void move_rows(const Tensor& buffer, const Tensor& index) {
  buffer.narrow(0, 0, index.numel()).copy_from(index_select(buffer, index));
}

class DroppedRows final : public RowSets {
 public:
  DroppedRows(const Variable& embedded, const PassInputs& in)
      : RowSets(in),
        staged_(gate_.decides == GatePlace::kAfterAttention),
        step_(row_step(in.rows, in.options)),
        left_{empty_like(embedded.value()), staged_ ? empty_like(embedded.value()) : Tensor()},
        x_(embedded.value()),
        here_(in.rows) {
    const Device device = x_.device();
    const std::int64_t tokens = in.rows.tokens, d = x_.shape()[1];
    result_ = empty({reads_all() ? tokens + 1 : in.rows.sentences, d}, x_.dtype(), device);
    if (staged_) updated_ = full({tokens}, 1, DType::kFloat32, device);
    rooms_ = make_rooms();
    if (!reads_all()) return;
    result_.narrow(0, 1, tokens).copy_from(x_);
    place_ = arange(tokens + 1, DType::kInt32, device).narrow(0, 1, tokens).clone();
  }

  void on_keys(std::size_t layer, const std::function<void()>& work) override {
    const auto on = [&](const Packed& rows) {
      here_ = rows;
      if (layer > 0 || !staged_) x_ = before(layer).narrow(0, 0, rows.tokens);
      work();
      x_ = y_ = Tensor();
    };
    if (sets(layer).keys == RowSetTable::kAll) return on(in_.rows);
    const Packed& keys = room(sets(layer).keys).packed;
    with_count(keys.count(), in_.rows.tokens, step_, [&](std::int64_t n) { on(front(keys, n)); });
  }

  void on_fed(std::size_t layer, const std::function<void()>& work) override {
    const Kept& fed = room(sets(layer).fed);
    with_count(fed.packed.count(), in_.rows.tokens, step_, [&](std::int64_t n) {
      fed_ = front(fed, n);
      work();
    });
  }

  void attend(std::size_t layer) override {
    if (only_first(layer)) {
      y_ = attention(layer, Kept{here_.offsets.narrow(0, 0, in_.rows.sentences), first_.packed});
    } else if (sets(layer).updated == sets(layer).keys) {
      y_ = attention(layer);
    } else {
      const Kept& asking = room(sets(layer).updated);
      const std::int64_t n = here_.tokens;
      const std::int64_t ask = exact() ? static_cast<std::int64_t>(asking.packed.count().item()) : n;
      const Kept queries = front(asking, ask);
      y_ = exact() && ask == n ? attention(layer) : updated(layer, queries);
    }
  }

  void decide(std::size_t layer) override { staged_ ? decide_stages(layer) : decide_rows(layer); }

  void feed(std::size_t layer) override {
    const FeedForward& feed_forward = in_.layers[layer].feed_forward;
    if (staged_ && !is_last(layer)) return feed_forward.update(before(layer + 1), fed_, in_.context);
    const Packed& rows = only_first(layer) ? first_.packed : here_;
    x_ = feed_forward(Variable(y_), rows, Variable(), in_.context).value();
    if (only_first(layer)) result_.copy_from(x_);
    if (reads_all()) leave(x_);
  }

  EncoderOutput output() override {
    out_.x = Variable(reads_all() ? result_.narrow(0, 1, in_.rows.tokens) : result_);
    return std::move(out_);
  }

 private:
  bool exact() const { return step_ == 1; }
  // The rows before a layer but the first one, at its front.
  const Tensor& before(std::size_t layer) const { return left_[staged_ ? layer % 2 : 0]; }
  const Kept& room(std::int64_t set) const { return rooms_[static_cast<std::size_t>(set)]; }

  Tensor attention(std::size_t layer) {
    const Attention& attention = in_.layers[layer].attention;
    if (!attends_from_tables(layer)) {
      return attention(Variable(x_), here_, nullptr, Variable(), in_.context).value();
    }
    const std::int64_t set = sets(layer).keys;
    const Tensor& all = in_.options.projected;
    const Tensor known = set == RowSetTable::kAll ? all : index_select(all, front(room(set), here_.tokens).rows);
    return attention.projected(Variable(x_), Variable(known), here_, in_.context).value();
  }
  Tensor attention(std::size_t layer, const Kept& queries) {
    if (attends_unprojected(layer, here_, queries.packed)) {
      return in_.layers[layer].attention.unprojected(Variable(x_), here_, queries, in_.context).value();
    }
    return in_.layers[layer].attention(Variable(x_), here_, &queries, Variable(), in_.context).value();
  }
  // x_ with the rows that ask updated, where they lie: no one reads what they were.
  Tensor updated(std::size_t layer, const Kept& queries) {
    const Attention& attention = in_.layers[layer].attention;
    if (attends_unprojected(layer, here_, queries.packed)) {
      index_copy_to(x_, queries.rows, attention.unprojected(Variable(x_), here_, queries, in_.context).value());
    } else {
      attention.update(x_, here_, queries, in_.context);
    }
    return x_;
  }
  Tensor norm(std::size_t layer, const Tensor& y) const {
    return in_.layers[layer].feed_forward.norm(Variable(y)).value();
  }

  // The rows of here_ that pass a gate, or `share` of them where shares are forced, which cost what gates cost.
  Tensor passing(const Tensor& z, std::int64_t gate, double share) const {
    if (in_.options.keep_shares != nullptr) {
      return evenly_spread_rows(here_.tokens, here_.offsets, in_.rows.offsets, share);
    }
    const bool first_pass = first_rows_pass(in_.config.skim_cls, gate);
    return passing_rows(z.select(1, gate), in_.context.state, here_.offsets, first_pass);
  }
  double share(std::size_t layer) const {
    return in_.options.keep_shares != nullptr ? (*in_.options.keep_shares)[layer] : 1;
  }

  // Compacts some rows of `packed`, where counts are known to exactly the survivors.
  Kept kept_rows(const Packed& packed, const Tensor& mask) const {
    if (exact()) return keep(packed, mask);
    const Kept kept = room_for(packed);
    keep_into(kept, packed, mask);
    return kept;
  }

  // Rows that the head reads in this state, unless they stay and get another.
  void leave(const Tensor& x) const { index_copy_to(result_, place_.narrow(0, 0, here_.tokens), x); }

  // Which rows of x_ the layer keeps.
  void decide_rows(std::size_t layer) {
    const Tensor z = in_.predictors[layer](Variable(x_)).value();
    const Kept& kept = room(sets(layer).keys);
    keep_into(kept, here_, passing(z, 0, share(layer)));
    const Tensor index = kept.rows.narrow(0, 0, here_.tokens);
    index_select_into(before(layer).narrow(0, 0, here_.tokens), x_, index);
    if (reads_all()) move_rows(place_, index);
  }

  // Which rows of y_ the layer feeds, and which the next one has.
  void decide_stages(std::size_t layer) {
    const RowSetTable::Layer& following = sets(layer + 1);
    const Tensor z = in_.predictors[layer](Variable(y_)).value();
    const Tensor u = updated_.narrow(0, 0, here_.tokens);
    // A share is of the rows that a layer works on; this layer's keys are settled, so its gates choose the next one's.
    const Tensor stays = passing(z, 0, share(layer + 1));
    keep_into(room(following.keys), here_, stays);
    if (reads_all()) leave_stage(layer, stays, u);
    const Kept next = front(room(following.keys), here_.tokens);
    const auto on_to_next = [&](const Tensor& mask) { return index_select(mask, next.rows); };
    const Tensor staying = on_to_next(u);
    const Tensor feeding = mul(staying, on_to_next(passing(z, 2, share(layer))).to(DType::kFloat32));
    keep_into(room(sets(layer).fed), next.packed, is_one(feeding));
    if (!is_last(layer + 1)) {
      index_select_into(u, passing(z, 1, 1).to(DType::kFloat32), next.rows);
      keep_into(room(following.updated), next.packed, is_one(u));
    }
    const Tensor following_x = before(layer + 1).narrow(0, 0, here_.tokens);
    index_select_into(following_x, y_, next.rows);
    const Kept unfed = kept_rows(next.packed, is_one(sub(staying, feeding)));
    index_copy_to(following_x, unfed.rows, norm(layer, index_select(following_x, unfed.rows)));
    if (reads_all()) move_rows(place_, next.rows);
  }

  // Rows that go keep what the layer gives them: LN2(y) of an updated one, the frozen y of another.
  void leave_stage(std::size_t layer, const Tensor& stays, const Tensor& u) const {
    const Kept gone = kept_rows(here_, is_one(sub(u, mul(u, stays.to(DType::kFloat32)))));
    leave(index_copy(y_, gone.rows, norm(layer, index_select(y_, gone.rows))));
  }

  const bool staged_;
  const std::int64_t step_;
  const Tensor left_[2];     // [rows, d]: by turns, as a layer's rows are chosen while those before are there
  Tensor updated_;           // [rows]: u of those rows
  Tensor place_;             // [rows] int32: the row of result_ that is theirs; a dummy's is row 0, which nobody reads
  Tensor result_;            // [sentences, d], or [1 + rows, d] where the head reads all rows
  std::vector<Kept> rooms_;  // of the sets that gates choose
  // Within a layer's work:
  Tensor x_, y_;  // the states of here_ before and after attention
  Packed here_;
  Kept fed_;
};

}  // namespace

std::unique_ptr<RowSets> dropped_rows(const Variable& x, const PassInputs& in) {
  return std::make_unique<DroppedRows>(x, in);
}

}  // namespace tk
