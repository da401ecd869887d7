// Skimming in training: every row of every layer is computed, and the gates enter as masks with straight-through
// gradients. In exact attention the result is what dropping computes, to rounding.

#include <utility>

#include "autograd/ops/elementwise.h"
#include "autograd/ops/reduce.h"
#include "autograd/ops/shape.h"
#include "autograd/ops/to.h"
#include "tensor/ops/elementwise.h"
#include "transkimmer/skim/decisions.h"
#include "transkimmer/skim/row_sets.h"

namespace tk {
namespace {

Variable ones(const Packed& rows) { return Variable(full({rows.tokens}, 1, DType::kFloat32, rows.offsets.device())); }

// MACs over the dense model's as a sum over layers, differentiable through the number of rows of each sentence. All of
// it, the dense model's too, is computed where the rows lie.
class CostSum {
 public:
  CostSum(const Config& config, const Packed& rows) : c_(mac_coefficients(config)), offsets_(rows.offsets) {
    const double unit = dense_macs(config, 1);  // coefficients near 1, whatever the model
    for (double* c : {&c_.row, &c_.pair, &c_.feed, &c_.predict, &c_.head_sentence, &c_.head_row}) *c /= unit;
    const Variable n = count(ones(rows));
    const auto layers = static_cast<double>(config.num_hidden_layers);
    const Variable layer = sum(full_layer_macs(c_, n));
    const double heads = head_macs(c_, static_cast<double>(rows.sentences), 0);
    total_ = Variable(full({}, heads, DType::kFloat32, offsets_.device()));
    dense_ = affine(layer, layers, heads);
    if (c_.head_row == 0) return;
    const Variable of_rows = sum(n) * c_.head_row;
    total_ = total_ + of_rows;
    dense_ = dense_ + of_rows;
  }

  Variable count(const Variable& mask) const { return segment_sum(mask, offsets_); }

  // keys, updated, fed: rows of each sentence, [sentences].
  void add_layer(const Variable& keys, const Variable& updated, const Variable& fed) {
    include(layer_macs(c_, keys, updated, fed));
  }
  void add_predictor(const Variable& entering) { include(predictor_macs(c_, entering)); }

  Variable total() const { return total_ / dense_; }
  const Tensor& dense() const { return dense_.value(); }

 private:
  void include(const Variable& by_sentence) { total_ = total_ + sum(by_sentence); }

  MacCoefficients c_;
  Tensor offsets_;
  Variable total_;
  Variable dense_;
};

// x + mask (x_new - x), mask [rows].
Variable blend(const Variable& x, const Variable& x_new, const Variable& mask) {
  return x + reshape(to(mask, x.dtype()), {mask.numel(), 1}) * (x_new - x);
}

// Undefined is all of what the other is part of.
Variable both(const Variable& set, const Variable& part) { return set.defined() ? set * part : part; }

class MaskedRows final : public RowSets {
 public:
  MaskedRows(const Variable& x, const PassInputs& in)
      : RowSets(in),
        x_(x),
        final_(x),
        decisions_(in.rows, in.config),
        cost_(in.config, in.rows),
        all_count_(cost_.count(ones(in.rows))),
        kept_rows_(full({}, 0, DType::kFloat32, in.rows.offsets.device())),
        key_count_(all_count_),
        updated_count_(all_count_) {
    if (!in.context.training) rooms_ = make_rooms();
    if (is_last(0)) enter_last();
  }

  void attend(std::size_t layer) override {
    attended_ = in_.layers[layer].attention(x_, in_.rows, only_first(layer) ? &first_ : nullptr, keys_, in_.context);
  }

  void decide(std::size_t layer) override {
    const Variable y = gate_.decides == GatePlace::kAfterAttention
                           ? (updated_.defined() ? blend(x_, attended_, updated_) : attended_)
                           : x_;
    const Variables gate = decisions_(in_.predictors[layer], y, layer, in_.context, in_.options);
    if (gate_.decides == GatePlace::kBeforeAttention) {
      const Variable entering = key_count_;
      keys_ = both(keys_, gate[0]);
      key_count_ = cost_.count(keys_);
      cost_.add_predictor(entering);
      cost_.add_layer(key_count_, key_count_, key_count_);
      kept_rows_ = kept_rows_ + sum(key_count_);
      note(sets(layer).keys, keys_);
    } else {
      staying_ = both(keys_, gate[0]);
      updating_ = gate[1];
      fed_ = both(updated_, staying_) * gate[2];
      note(sets(layer).fed, fed_);
    }
  }

  void feed(std::size_t layer) override {
    const Packed& rows = only_first(layer) ? first_.packed : in_.rows;
    const Variable x_new = in_.layers[layer].feed_forward(attended_, rows, fed_, in_.context);
    x_ = updated_.defined() ? blend(x_, x_new, updated_) : x_new;
    attended_ = Variable();
    out_.masks.push_back({keys_, updated_, fed_});
    if (gate_.decides == GatePlace::kBeforeAttention) {
      // The states of rows that are gone go on, since gradients of masks need them: what the head reads is another.
      if (reads_all()) final_ = blend(final_, x_, keys_);
      return;
    }
    cost_.add_layer(key_count_, updated_count_, fed_.defined() ? cost_.count(fed_) : updated_count_);
    if (is_last(layer)) return;
    cost_.add_predictor(key_count_);
    enter(layer + 1);
  }

  EncoderOutput output() override {
    const bool published = gate_.decides == GatePlace::kBeforeAttention;
    out_.masked = true;
    out_.x = published && reads_all() ? final_ : x_;
    out_.cost = cost_.total();
    out_.dense_macs = cost_.dense();
    if (published) {
      out_.skim_loss = kept_rows_ / (sum(all_count_) * static_cast<double>(in_.layers.size()));
    }
    return std::move(out_);
  }

 private:
  // R and U of a layer behind a gate after attention.
  void enter(std::size_t layer) {
    keys_ = staying_;
    updated_ = staying_ * updating_;
    fed_ = Variable();
    key_count_ = cost_.count(keys_);
    updated_count_ = cost_.count(updated_);
    note(sets(layer).keys, keys_);
    if (is_last(layer)) {
      enter_last();
    } else {
      note(sets(layer).updated, updated_);
    }
  }

  // The last layer updates what the head reads.
  void enter_last() {
    updated_ = reads_all() ? keys_ : Variable();
    updated_count_ = reads_all() ? key_count_ : ones(first_.packed);
  }

  // In evaluation the rows of a set can be asked for, as where they are dropped.
  void note(std::int64_t set, const Variable& mask) {
    if (rooms_.empty()) return;
    keep_into(rooms_[static_cast<std::size_t>(set)], in_.rows, greater(mask.value(), 0.5));
  }

  Variable x_;
  Variable attended_;              // LN1(x + attention(x)) on all rows
  Variable final_;                 // published gate: F = h^0, then F (1 - m) + h m
  Variable keys_, updated_, fed_;  // r, u, f; undefined: all that the set before has
  Variable staying_, updating_;    // of the next layer: r, and its gate on u
  Decisions decisions_;
  CostSum cost_;
  Variable all_count_;  // rows of each sentence, [sentences]
  Variable kept_rows_;
  Variable key_count_, updated_count_;
  std::vector<Kept> rooms_;
};

}  // namespace

std::unique_ptr<RowSets> masked_rows(const Variable& x, const PassInputs& in) {
  return std::make_unique<MaskedRows>(x, in);
}

}  // namespace tk
