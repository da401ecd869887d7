// Skimming in training: every row of every layer is computed, and the gates enter as masks with straight-through
// gradients. In exact attention the result is what dropping computes, to rounding.

#include <utility>
#include <vector>

#include "autograd/ops/gate_masks.h"
#include "autograd/ops/lerp.h"
#include "autograd/ops/mac_share.h"
#include "tensor/ops/elementwise.h"
#include "transkimmer/skim/decisions.h"
#include "transkimmer/skim/row_sets.h"

namespace tk {
namespace {

// In units of a dense sentence of one token, so that coefficients are near 1 whatever the model.
MacCoefficients scaled_coefficients(const Config& config) {
  MacCoefficients c = mac_coefficients(config);
  const double unit = dense_macs(config, 1);
  for (double* x : {&c.row, &c.pair, &c.feed, &c.predict, &c.head_sentence, &c.head_row}) *x /= unit;
  return c;
}

// With these a layer's keys cost 1 each, and nothing else does.
constexpr MacCoefficients kOfKeys{
    .row = 0.5, .pair = 0, .heads_pair = 0, .feed = 0, .predict = 0, .unasked = 0, .head_sentence = 0, .head_row = 0};

class MaskedRows final : public RowSets {
 public:
  MaskedRows(const Variable& x, const PassInputs& in) : RowSets(in), x_(x), final_(x), decisions_(in.rows, in.config) {
    if (!in.context.training) rooms_ = make_rooms();
    if (is_last(0)) enter_last();
  }

  void attend(std::size_t layer) override {
    attended_ =
        in_.layers[layer].attention(x_, in_.rows, only_first(layer) ? &first_ : nullptr, masks_.keys, in_.context);
  }

  void decide(std::size_t layer) override {
    const GateAnswers answers = decisions_(in_.predictors[layer], decided_by(), layer, in_.context, in_.options);
    const MaskVariables after = gate_masks(answers.gates, masks_, in_.rows.offsets, answers.first);
    if (decides_after()) {
      next_ = {after.keys, after.updated, {}};
      masks_.fed = after.fed;
      note(sets(layer).fed, masks_.fed);
    } else {
      masks_.keys = after.keys;
      note(sets(layer).keys, masks_.keys);
    }
  }

  void feed(std::size_t layer) override {
    const Packed& rows = only_first(layer) ? first_.packed : in_.rows;
    const Variable x_new = in_.layers[layer].feed_forward(attended_, rows, masks_.fed, in_.context);
    x_ = masks_.updated.defined() ? lerp_rows(x_, x_new, masks_.updated) : x_new;
    attended_ = Variable();
    out_.masks.push_back(masks_);
    layers_.push_back({masks_, predicted(layer), decides_after() && only_first(layer)});
    if (!decides_after()) {
      // The states of rows that are gone go on, since gradients of masks need them: what the head reads is another.
      if (reads_all()) final_ = lerp_rows(final_, x_, masks_.keys);
    } else if (!is_last(layer)) {
      enter(layer + 1);
    }
  }

  EncoderOutput output() override {
    const Tensor& offsets = in_.rows.offsets;
    out_.masked = true;
    out_.x = !decides_after() && reads_all() ? final_ : x_;
    const MacShareOutput cost = mac_share(layers_, offsets, scaled_coefficients(in_.config));
    out_.cost = cost.share;
    out_.dense_macs = cost.dense;
    if (!decides_after()) out_.skim_loss = mac_share(layers_, offsets, kOfKeys).share;
    return std::move(out_);
  }

 private:
  bool decides_after() const { return gate_.decides == GatePlace::kAfterAttention; }

  // y of the rows behind attention, a frozen one as it came; or what the layer begins with.
  Variable decided_by() const {
    if (!decides_after()) return x_;
    return masks_.updated.defined() ? lerp_rows(x_, attended_, masks_.updated) : attended_;
  }

  MaskedLayer::Predicted predicted(std::size_t layer) const {
    if (!decides_after()) return MaskedLayer::Predicted::kKeysBefore;
    return is_last(layer) ? MaskedLayer::Predicted::kNone : MaskedLayer::Predicted::kKeys;
  }

  // R and U of a layer behind a gate after attention.
  void enter(std::size_t layer) {
    masks_ = std::exchange(next_, {});
    note(sets(layer).keys, masks_.keys);
    if (is_last(layer)) {
      enter_last();
    } else {
      note(sets(layer).updated, masks_.updated);
    }
  }

  // The last layer updates what the head reads.
  void enter_last() { masks_.updated = reads_all() ? masks_.keys : Variable(); }

  // In evaluation the rows of a set can be asked for, as where they are dropped.
  void note(std::int64_t set, const Variable& mask) {
    if (rooms_.empty()) return;
    keep_into(rooms_[static_cast<std::size_t>(set)], in_.rows, greater(mask.value(), 0.5));
  }

  Variable x_;
  Variable attended_;    // LN1(x + attention(x)) on all rows
  Variable final_;       // published gate: F = h^0, then F (1 - m) + h m
  MaskVariables masks_;  // r, u, f of this layer
  MaskVariables next_;   // r and u of the next
  Decisions decisions_;
  std::vector<MaskedLayerVariables> layers_;
  std::vector<Kept> rooms_;
};

}  // namespace

std::unique_ptr<RowSets> masked_rows(const Variable& x, const PassInputs& in) {
  return std::make_unique<MaskedRows>(x, in);
}

}  // namespace tk
