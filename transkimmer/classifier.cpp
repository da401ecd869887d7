#include "transkimmer/classifier.h"

#include <algorithm>

#include "autograd/ops/elementwise.h"
#include "autograd/ops/to.h"

namespace tk {
namespace {

// Where the predictors' bias starts. Published: 5 on either side, which needs hundreds of updates to cross.
constexpr double kLayerGateBias = 2.5;  // keep; skim starts at the opposite
constexpr double kStagedGateBias = 5;

// Draws the values of a parameter that go by these names: query, key and value lie in one.
template <class F>
void draw(const NamedParameter& named, std::span<const std::string> names, F&& draw_all) {
  const auto wanted = [&](const std::string& name) { return std::ranges::find(names, name) != names.end(); };
  if (std::ranges::none_of(named.names, wanted)) return;
  Parameter drawn(named.parameter->value().shape());
  draw_all(drawn.value());
  const std::vector<NamedTensor> from = named_values({{named.names, &drawn}});
  const std::vector<NamedTensor> to = named_values({named});
  for (std::size_t i = 0; i < to.size(); ++i) {
    if (wanted(to[i].name)) to[i].tensor.copy_from(from[i].tensor);
  }
}

}  // namespace

BertClassifier::BertClassifier(const Config& config)
    : config_(config),
      embeddings_(config),
      encoder_(config),
      pooler_(config.hidden_size, config.hidden_size),
      classifier_(config.hidden_size, config.num_labels()),
      dropout_{config.head_dropout(), {Purpose::kHeadDropout}} {
  validate(config, "config");
  embeddings_.collect(parameters_, "bert.embeddings");
  encoder_.collect(parameters_, "bert.encoder");
  pooler_.collect(parameters_, "bert.pooler.dense");
  classifier_.collect(parameters_, "classifier");
}

ClassifierOutput BertClassifier::operator()(const PackedTokens& inputs, const Context& context,
                                            const ForwardOptions& options) const {
  TK_CHECK(options.reads == HeadReads::kFirstRows, "classifier: reads first rows only");
  ClassifierOutput out;
  out.encoder = encoder_(to(embeddings_(inputs, context), compute_dtype_), inputs.rows, context, options);
  const Variable pooled = tanh(pooler_(out.encoder.x));
  out.logits = to(classifier_(dropout_(pooled, out.encoder.rows, context)), DType::kFloat32);
  return out;
}

void BertClassifier::place(Device device, DType compute_dtype) {
  TK_CHECK(compute_dtype == DType::kFloat32 || (compute_dtype == DType::kBFloat16 && device == Device::kCuda),
           "classifier: computes in float32, or in bfloat16 on CUDA, not in ", compute_dtype, " on ", device);
  for (const NamedParameter& named : parameters_) named.parameter->move_to(device);
  compute_dtype_ = compute_dtype;
}

void BertClassifier::set_skim_threshold(double threshold) {
  config_.skim_threshold = threshold;
  encoder_.set_threshold(threshold);
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
  const bool staged = config_.skim_gate == SkimGate::kStaged;
  for (const SkimPredictor& predictor : encoder_.predictors) {
    const auto bias = std::ranges::find(parameters_, &predictor.output.bias, &NamedParameter::parameter);
    draw(*bias, names, [&](const Tensor& x) {
      init_normal(x, staged ? kStagedGateBias : kLayerGateBias, deviation, seed, sequence);
      if (!staged) init_normal(x.narrow(0, 0, 1), -kLayerGateBias, deviation, seed, sequence + 1);
    });
    sequence += staged ? 1 : 2;
  }
}

}  // namespace tk
