// Skimming in evaluation on a device that reads its numbers of rows itself (tensor/ops/counted_rows.h): buffers have
// room for all rows, a kernel works on as many of them as there are, and one kernel makes a layer's choice. A layer is
// seven kernels for either gate:
//
//   query, key and value | attention | output | choice, with the layer norm before it | W1 and activation | W2 | layer
//   norm
//
// A gate before attention chooses behind the second layer norm, one after it behind the first.

#include <utility>

#include "tensor/ops/attention.h"
#include "tensor/ops/counted_rows.h"
#include "transkimmer/skim/row_sets.h"

namespace tk {
namespace {

// The rows of a set: their states, with room for more, and how many there are.
struct States {
  Tensor x;
  Tensor offsets;

  Tensor count() const { return offsets.select(0, offsets.numel() - 1); }
};

class CountedRows final : public RowSets {
 public:
  CountedRows(const Variable& embedded, const PassInputs& in)
      : RowSets(in),
        keys_{embedded.value(), in.rows.offsets},
        asking_(keys_),
        position_(in.rows.position),
        scans_(zeros({static_cast<std::int64_t>(in.predictors.size()), choice_scan_size(in.rows.tokens)}, DType::kInt64,
                     embedded.device())),
        rooms_(make_rooms()) {}

  void attend(std::size_t layer) override {
    const Attention& attention = in_.layers[layer].attention;
    const Tensor w = weight_of(attention.query_key_value), bias = attention.query_key_value.bias.value();
    const std::int64_t d = keys_.x.shape()[1];
    Tensor q, kv;
    if (asks_apart(layer)) {
      TwoProducts products = counted_linear(asking_.x, asking_.count(), d, keys_.x, keys_.count(), w, bias);
      q = std::move(products.y);
      kv = std::move(products.more_y);
    } else {
      asking_ = keys_;
      const Tensor all = counted_linear(keys_.x, keys_.count(), w, bias);
      q = all.narrow(1, 0, d);
      kv = all.narrow(1, d, 2 * d);
    }
    const AttentionKey key{.heads = in_.config.num_attention_heads,
                           .q_offsets = asking_.offsets,
                           .kv_offsets = keys_.offsets,
                           .kv_position = {},
                           .fills_dummies = false};
    const Tensor attended = packed_attention(q, kv.narrow(1, 0, d), kv.narrow(1, d, d), Tensor(), key).y;
    leave_branch(counted_linear(attended, asking_.count(), weight_of(attention.output), Tensor()),
                 attention.norm.of_residual(attention.output.bias));
  }

  void decide(std::size_t layer) override {
    const bool staged = gate_.decides == GatePlace::kAfterAttention;
    const std::size_t next = staged ? layer + 1 : layer;  // the layer whose keys are chosen
    RowChoice from{.x = keys_.x,
                   .branch = branch_,
                   .place = asking_place_,
                   .norm = norm_,
                   .predictor = in_.predictors[layer].weights(keys_.x.dtype()),
                   .state = in_.context.state,
                   .offsets = keys_.offsets,
                   .position = position_,
                   .original_offsets = in_.rows.offsets,
                   .frees_first = in_.config.skim_cls == SkimCls::kFree,
                   .unfed_gamma = {},
                   .unfed_beta = {}};
    if (in_.options.keep_shares != nullptr) {
      from.forces_shares = true;
      from.shares[0] = (*in_.options.keep_shares)[next];
      from.shares[2] = (*in_.options.keep_shares)[layer];
    }
    ChosenRows to{.keys = room(sets(next).keys),
                  .asking = {},
                  .fed = {},
                  .state = branch_.defined() ? empty_like(keys_.x) : Tensor(),
                  .scan = scans_.select(0, static_cast<std::int64_t>(layer))};
    if (asks_apart(next)) {
      to.asking = room(sets(next).updated);
      to.asking.place = places();
    }
    if (staged) {
      const LayerNorm& norm = in_.layers[layer].feed_forward.norm;
      from.unfed_gamma = norm.weight.value();
      from.unfed_beta = norm.bias.value();
      from.unfed_epsilon = norm.epsilon;
      to.fed = room(sets(layer).fed);
      to.fed.place = places();
    }
    choose_rows(to, from);
    keys_ = {to.keys.x, to.keys.offsets};
    position_ = to.keys.position;
    asking_ = asks_apart(next) ? asking_rows(to.asking, sets(next).updated) : keys_;
    asking_place_ = to.asking.place;
    if (staged) fed_ = {to.fed.x, to.fed.offsets};
    fed_place_ = to.fed.place;
    branch_ = Tensor();
  }

  void feed(std::size_t layer) override {
    const FeedForward& feed_forward = in_.layers[layer].feed_forward;
    const bool rows_are_chosen = fed_.x.defined();
    if (!rows_are_chosen) fed_ = {counted_residual_norm(asking_.x, branch_, norm_, asking_.count()), asking_.offsets};
    const States fed = std::exchange(fed_, {});
    const Tensor inner = counted_linear(fed.x, fed.count(), weight_of(feed_forward.intermediate),
                                        feed_forward.intermediate.bias.value(), in_.config.hidden_act);
    const Tensor branch = counted_linear(inner, fed.count(), weight_of(feed_forward.output), Tensor());
    const ResidualNorm norm = feed_forward.norm.of_residual(feed_forward.output.bias);
    if (rows_are_chosen) {
      counted_residual_norm_into(keys_.x, asking_place_.defined() ? asking_.x : Tensor(), fed.x, branch, norm,
                                 fed.count(), fed_place_, asking_place_);
      branch_ = Tensor();
    } else if (is_last(layer)) {
      out_.x = Variable(counted_residual_norm(fed.x, branch, norm, fed.count()));
    } else {
      keys_.x = fed.x;
      leave_branch(branch, norm);
    }
  }

  EncoderOutput output() override { return std::move(out_); }

 private:
  // Queries are not those of all keys.
  bool asks_apart(std::size_t layer) const { return sets(layer).updated != sets(layer).keys; }

  Tensor weight_of(const Linear& linear) const { return linear.weight.as(keys_.x.dtype()).value(); }
  Tensor places() const { return empty({keys_.x.shape()[0]}, DType::kInt32, keys_.x.device()); }

  // Of first rows there are as many as sentences.
  States asking_rows(const RowRoom& room, std::int64_t set) const {
    if (set != RowSetTable::kFirst) return {room.x, room.offsets};
    return {room.x.narrow(0, 0, in_.rows.sentences), first_.packed.offsets};
  }
  // The first rows have offsets that are known.
  RowRoom room(std::int64_t set) const {
    RowRoom room{.x = empty_like(keys_.x), .offsets = {}, .position = {}, .place = {}};
    if (set == RowSetTable::kFirst) return room;
    const Packed& packed = rooms_[static_cast<std::size_t>(set)].packed;
    room.offsets = packed.offsets;
    room.position = packed.position;
    return room;
  }

  void leave_branch(const Tensor& branch, const ResidualNorm& norm) {
    branch_ = branch;
    norm_ = norm;
  }

  States keys_, asking_, fed_;
  Tensor asking_place_;  // of each key among those that ask, or -1; undefined where all keys do
  Tensor fed_place_;     // of each fed row among the keys
  Tensor position_;      // of the keys
  Tensor branch_;        // what a layer norm has still to add to the rows that ask, with norm_
  ResidualNorm norm_;
  Tensor scans_;  // of each choice
  std::vector<Kept> rooms_;
};

}  // namespace

bool can_count_rows(const Config& config, HeadReads reads, Device device, DType dtype) {
  return config.num_predictors() > 0 && config.skim_attention == SkimAttention::kExact &&
         reads == HeadReads::kFirstRows && config.hidden_size % 32 == 0 && config.intermediate_size % 32 == 0 &&
         has_counted_rows(device, dtype, config.hidden_size, config.skim_width);
}

std::unique_ptr<RowSets> counted_rows(const Variable& x, const PassInputs& in) {
  return std::make_unique<CountedRows>(x, in);
}

}  // namespace tk
