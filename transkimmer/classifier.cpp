#include "transkimmer/classifier.h"

#include "autograd/ops/elementwise.h"
#include "autograd/ops/to.h"

namespace tk {
namespace {

// Where the predictors' bias starts. Published: 5 on either side, which needs hundreds of updates to cross.
constexpr double kLayerGateBias = 2.5;  // keep; skim starts at the opposite
constexpr double kStagedGateBias = 5;

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

ClassifierOutput BertClassifier::operator()(const Inputs& inputs, const Context& context,
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
  const double deviation = config_.initializer_range;
  std::uint32_t sequence = 0;
  for (const NamedParameter& named : parameters_) {
    if (named.parameter->decay()) init_normal(named.parameter->value(), 0, deviation, seed, sequence);
    ++sequence;
  }
  for (SkimPredictor& predictor : encoder_.predictors) {
    const Tensor& bias = predictor.output.bias.value();
    const bool staged = config_.skim_gate == SkimGate::kStaged;
    init_normal(bias, staged ? kStagedGateBias : kLayerGateBias, deviation, seed, sequence++);
    if (!staged) init_normal(bias.narrow(0, 0, 1), -kLayerGateBias, deviation, seed, sequence++);
  }
}

}  // namespace tk
