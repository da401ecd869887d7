#include "transkimmer/classifier.h"

#include <algorithm>

#include "autograd/grad_mode.h"
#include "autograd/ops/to.h"
#include "tensor/backend.h"
#include "tensor/step_state.h"
#include "transkimmer/embedding_tables.h"
#include "transkimmer/families/family.h"
#include "transkimmer/skim/row_sets.h"

namespace tk {
namespace {

StepState evaluation_state(const Config& config) { return {.skim_threshold = config.skim_threshold}; }

// The name of the weight whose scales go by this name.
std::string without_scale(const std::string& name) {
  return name.ends_with(kScaleSuffix) ? name.substr(0, name.size() - kScaleSuffix.size()) : name;
}

// Draws the values of a parameter that go by these names: query, key and value lie in one.
template <class F>
void draw(const NamedParameter& named, std::span<const std::string> names, F&& draw_all) {
  const auto wanted = [&](const std::string& name) { return std::ranges::find(names, name) != names.end(); };
  if (std::ranges::none_of(named.names, wanted)) return;
  Parameter drawn(named.parameter->value().shape());
  draw_all(drawn.value());
  if (named.parameter->is_quantized()) drawn.quantize();
  const std::vector<NamedTensor> from = named_values({{named.names, &drawn}});
  const std::vector<NamedTensor> to = named_values({named});
  for (std::size_t i = 0; i < to.size(); ++i) {
    if (wanted(to[i].name) || wanted(without_scale(to[i].name))) to[i].tensor.copy_from(from[i].tensor);
  }
}

}  // namespace

BertClassifier::BertClassifier(const Config& config)
    : config_(config),
      embeddings_(config),
      encoder_(config),
      head_(make_head(config)),
      evaluation_(make_step_state(evaluation_state(config))) {
  validate(config, "config");
  const WeightNames& names = config.family().weights;
  embeddings_.collect(parameters_, names);
  encoder_.collect(parameters_, names);
  head_->collect(parameters_, names);
}

ClassifierOutput BertClassifier::operator()(const PackedTokens& inputs, const Context& context,
                                            const ForwardOptions& options) const {
  const WithProductPrecision precision(precision_of(device(), compute_dtype_));
  Context own = context;
  if (!context.training) own.state = evaluation_;
  ForwardOptions of_head = options;
  of_head.reads = head_->reads();
  ClassifierOutput out;
  Variable x;
  if (options.tables != nullptr && !context.training && !grad_enabled()) {
    const LayerNormOutput embedded = embeddings_.normalized(inputs);
    const Linear& query_key_value = encoder_.layers.front().attention.query_key_value;
    of_head.projected = (*options.tables)(embeddings_, query_key_value, inputs, embedded.rstd);
    out.table_macs = static_cast<double>(options.tables->rows_made() * query_key_value.weight.value().numel());
    x = Variable(embedded.y);
  } else {
    x = embeddings_(inputs, own, activation_dtype());
  }
  out.encoder = encoder_(x, inputs.rows, own, of_head);
  out.logits = to((*head_)(out.encoder, own), DType::kFloat32);
  return out;
}

void BertClassifier::quantize(std::span<const std::string> names) {
  const auto is_one = [&](const std::string& name) { return std::ranges::find(names, name) != names.end(); };
  for (const NamedParameter& named : parameters_) {
    if (std::ranges::any_of(named.names, is_one)) named.parameter->quantize();
  }
}

std::vector<std::string> BertClassifier::int8_weights() const {
  std::vector<std::string> names;
  for (const NamedParameter& named : parameters_) {
    if (named.parameter->is_quantized()) names.insert(names.end(), named.names.begin(), named.names.end());
  }
  return names;
}

void BertClassifier::place(Device device, DType compute_dtype) {
  if (is_quantized() && compute_dtype == DType::kFloat32) compute_dtype = DType::kInt8;
  check_computes_in("classifier", device, compute_dtype);
  TK_CHECK(!is_quantized() || compute_dtype == DType::kInt8,
           "classifier: its weights are int8, and are not computed in ", compute_dtype);
  if (compute_dtype == DType::kInt8) {
    for (const NamedParameter& named : parameters_) {
      if (is_int8_weight(named.names.front(), config_.family())) named.parameter->quantize();
    }
  }
  for (const NamedParameter& named : parameters_) named.parameter->move_to(device);
  evaluation_ = make_step_state(evaluation_state(config_), device);
  compute_dtype_ = compute_dtype;
}

bool BertClassifier::counts_rows() const { return can_count_rows(config_, head_->reads(), device(), compute_dtype_); }

void BertClassifier::set_skim_threshold(double threshold) {
  config_.skim_threshold = threshold;
  synchronize(device());  // passes in other queues may still read the one before
  set_step(evaluation_, evaluation_state(config_));
  synchronize(device());  // and the next may be asked for in another
}

void BertClassifier::initialize(std::uint64_t seed) {
  std::vector<std::string> names;
  for (const NamedParameter& named : parameters_) names.insert(names.end(), named.names.begin(), named.names.end());
  initialize(seed, names);
}

void BertClassifier::initialize(std::uint64_t seed, std::span<const std::string> names) {
  const double deviation = config_.initializer_range;
  std::uint32_t sequence = 0;
  for (const NamedParameter& named : parameters_) {
    if (named.parameter->decay()) {
      draw(named, names, [&](const Tensor& x) { init_normal(x, 0, deviation, seed, sequence); });
    }
    ++sequence;
  }
  const GateTraits& gate = traits(config_.skim_gate);
  for (const SkimPredictor& predictor : encoder_.predictors) {
    const auto bias = std::ranges::find(parameters_, &predictor.output.bias, &NamedParameter::parameter);
    draw(*bias, names, [&](const Tensor& x) {
      init_normal(x, gate.first_bias, deviation, seed, sequence);
      if (gate.scores_in_pairs())
        init_normal(x.narrow(0, 0, gate.gates), -gate.first_bias, deviation, seed, sequence + 1);
    });
    sequence += gate.scores_in_pairs() ? 2 : 1;
  }
}

}  // namespace tk
