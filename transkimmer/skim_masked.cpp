// Skimming in training: every row of every layer is computed, and the gates enter as masks with straight-through
// gradients. In exact attention the result is what dropping computes, to rounding.

#include "autograd/ops/elementwise.h"
#include "autograd/ops/index.h"
#include "autograd/ops/reduce.h"
#include "autograd/ops/shape.h"
#include "autograd/ops/to.h"
#include "tensor/ops/elementwise.h"
#include "tensor/ops/reduce.h"
#include "transkimmer/skim_encoder.h"
#include "transkimmer/skim_gates.h"

namespace tk {
namespace {

// MACs over the dense model's as a sum over layers, differentiable through the number of rows of each sentence. All of
// it, the dense model's too, is computed where the rows lie.
class CostSum {
 public:
  CostSum(const Config& config, const Packed& rows) : c_(mac_coefficients(config)), offsets_(rows.offsets) {
    const double unit = dense_macs(config, 1);  // numbers near 1, whatever the model
    for (double* c : {&c_.row, &c_.pair, &c_.feed, &c_.predict, &c_.head}) *c /= unit;
    const double heads = c_.head * static_cast<double>(rows.sentences);
    total_ = Variable(full({}, heads, DType::kFloat32, offsets_.device()));
    const Tensor n = count(ones(rows)).value();
    const Tensor layer = add(affine(n, 2 * c_.row + c_.feed), affine(square(n), c_.pair));
    dense_ = Variable(affine(sum(layer), static_cast<double>(config.num_hidden_layers), heads));
  }

  static Variable ones(const Packed& rows) {
    return Variable(full({rows.tokens}, 1, DType::kFloat32, rows.offsets.device()));
  }
  Variable count(const Variable& mask) const { return segment_sum(mask, offsets_); }

  // keys, updated, fed: rows of each sentence, [sentences].
  void add_layer(const Variable& keys, const Variable& updated, const Variable& fed) {
    include((keys + updated) * c_.row + (updated * keys) * c_.pair + fed * c_.feed);
  }
  void add_predictor(const Variable& entering) { include((entering - 1.0) * c_.predict); }

  Variable total() const { return total_ / dense_; }

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

const Tensor* noise_of(const ForwardOptions& options, std::size_t layer) {
  return options.noise != nullptr ? &(*options.noise)[layer] : nullptr;
}

}  // namespace

EncoderOutput SkimEncoder::masked_layer_gate(Variable x, const Packed& rows, const Context& context,
                                             const ForwardOptions& options) const {
  EncoderOutput out;
  const SkimGates gates(rows, 1);
  const Kept first = first_rows(rows);
  CostSum cost(config_, rows);
  Variable mask = CostSum::ones(rows);
  Variable entering = cost.count(mask);
  Variable final_state = x;  // F: h^0, then F (1 - m) + h m
  Variable kept_rows(full({}, 0, DType::kFloat32, rows.offsets.device()));
  for (std::size_t i = 0; i < encoder_.layers.size(); ++i) {
    const auto layer = static_cast<std::uint8_t>(i);
    const Variable gate = context.training ? gates.sample(predictors[i], x, layer, context, noise_of(options, i))[0]
                                           : Variable(gates.decide(predictors[i], x, config_.skim_threshold)[0]);
    mask = gate * mask;
    const Variable kept = cost.count(mask);
    cost.add_predictor(entering);
    cost.add_layer(kept, kept, kept);
    kept_rows = kept_rows + sum(kept);
    entering = kept;
    const bool only_first = i + 1 == encoder_.layers.size() && options.reads == HeadReads::kFirstRows;
    x = encoder_.layers[i](x, rows, only_first ? &first : nullptr, mask, context);
    out.masks.push_back({mask, mask, mask});
    if (options.reads == HeadReads::kAllRows) final_state = blend(final_state, x, mask);
  }
  out.x = options.reads == HeadReads::kAllRows ? final_state : x;
  out.rows = options.reads == HeadReads::kAllRows ? rows : first.packed;
  out.cost = cost.total();
  out.skim_loss = kept_rows / (sum(cost.count(CostSum::ones(rows))) * static_cast<double>(config_.num_hidden_layers));
  return out;
}

EncoderOutput SkimEncoder::masked_staged_gate(Variable x, const Packed& rows, const Context& context,
                                              const ForwardOptions& options) const {
  TK_CHECK(options.reads == HeadReads::kFirstRows,
           "skim_encoder: the staged gate's last layer updates first rows only; a head that reads all rows needs "
           "skim_gate layer");
  EncoderOutput out;
  const SkimGates gates(rows, 3);
  const Kept first = first_rows(rows);
  CostSum cost(config_, rows);
  Variable keys;  // undefined: all rows, in layer 0
  Variable updated;
  Variable key_count = cost.count(CostSum::ones(rows));
  Variable updated_count = key_count;
  const std::size_t last = encoder_.layers.size() - 1;
  for (std::size_t i = 0; i < last; ++i) {
    const auto layer = static_cast<std::uint8_t>(i);
    const EncoderLayer& block = encoder_.layers[i];
    const Variable attended = block.attention(x, rows, nullptr, keys, context);
    const Variable y = updated.defined() ? blend(x, attended, updated) : attended;
    const Variables gate =
        context.training ? gates.sample(predictors[i], y, layer, context, noise_of(options, i)) : [&] {
          Variables decided;
          for (const Tensor& column : gates.decide(predictors[i], y, config_.skim_threshold))
            decided.emplace_back(column);
          return decided;
        }();
    const Variable next_keys = keys.defined() ? keys * gate[0] : gate[0];
    const Variable staying = updated.defined() ? updated * next_keys : next_keys;
    const Variable fed = staying * gate[2];
    const Variable x_new = block.feed_forward(attended, rows, fed, context);
    x = updated.defined() ? blend(x, x_new, updated) : x_new;
    cost.add_layer(key_count, updated_count, cost.count(fed));
    cost.add_predictor(key_count);
    out.masks.push_back({keys, updated, fed});
    keys = next_keys;
    updated = next_keys * gate[1];
    key_count = cost.count(keys);
    updated_count = cost.count(updated);
  }
  out.x = encoder_.layers[last](x, rows, &first, keys, context);
  out.rows = first.packed;
  const Variable one_each = CostSum::ones(first.packed);
  cost.add_layer(key_count, one_each, one_each);
  out.masks.push_back({keys, Variable(), Variable()});
  out.cost = cost.total();
  return out;
}

}  // namespace tk
