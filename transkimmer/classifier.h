#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "tensor/precision.h"
#include "transkimmer/bert_embeddings.h"
#include "transkimmer/heads/head.h"
#include "transkimmer/skim/encoder.h"

namespace tk {

struct ClassifierOutput {
  Variable logits;  ///< [sentences, labels], or [tokens, labels] of a head that answers for each
  EncoderOutput encoder;
  double table_macs = 0;  ///< spent on rows of ForwardOptions::tables, which later passes find there
};

/// Embeddings, encoder and head: classification and regression of sentences and pairs, or classification of tokens,
/// dense or skimmed. Logits are float32, whatever the compute dtype. Parameters have the names that the family's class
/// for the head publishes.
class BertClassifier {
 public:
  /// Weights are zeros (layer norms the identity) until initialize() or a checkpoint fills them.
  explicit BertClassifier(const Config& config);
  BertClassifier(const BertClassifier&) = delete;
  BertClassifier& operator=(const BertClassifier&) = delete;

  /// What the head reads is no option here. Only training needs a state in the context.
  ClassifierOutput operator()(const PackedTokens& inputs, const Context& context,
                              const ForwardOptions& options = {}) const;

  /// Draws every weight as BERT and Transkimmer do: N(0, initializer_range), biases 0, predictors so that they keep.
  void initialize(std::uint64_t seed);
  /// The same numbers for the weights of these published names alone; the others keep what they hold.
  void initialize(std::uint64_t seed, std::span<const std::string> names);

  /// Holds the weights of these published names, and those that lie in one matrix with them, in int8: for inference on
  /// the CPU.
  void quantize(std::span<const std::string> names);
  /// The names of those that are.
  std::vector<std::string> int8_weights() const;
  /// Whether there are some.
  bool is_quantized() const { return !int8_weights().empty(); }

  /// Moves the weights to a device and computes there; encoder and head in `compute_dtype`: float32, bfloat16, or int8,
  /// which quantizes all weights of is_int8_weight (transkimmer/families/family.h) and which float32 means for a model
  /// that has int8 weights. Throws where the device does not compute in it. Before an optimizer takes the parameters.
  void place(Device device, DType compute_dtype = DType::kFloat32);
  Device device() const { return parameters_.front().parameter->value().device(); }
  DType compute_dtype() const { return compute_dtype_; }
  /// Of the activations, and of weights' copies beside them.
  DType activation_dtype() const { return tk::activation_dtype(device(), compute_dtype_); }

  /// Whether a pass in evaluation is one sequence of kernels, whatever its gates let go: the device reads how many rows
  /// each layer has.
  bool counts_rows() const;

  /// What z must exceed for a gate to let a row pass in evaluation: higher costs less. Passes that were recorded
  /// follow, those that the device was asked for before do not.
  void set_skim_threshold(double threshold);
  /// Keeps what thresholds the speed-ups need; see Config.
  void set_skim_speedups(std::vector<SpeedThreshold> speedups) { config_.skim_speedups = std::move(speedups); }

  const Config& config() const { return config_; }
  const ParameterList& parameters() const { return parameters_; }

 private:
  Config config_;
  BertEmbeddings embeddings_;
  SkimEncoder encoder_;
  std::unique_ptr<Head> head_;
  ParameterList parameters_;
  Tensor evaluation_;  // the step state of evaluation, where the model computes: its threshold
  DType compute_dtype_ = DType::kFloat32;
};

}  // namespace tk
