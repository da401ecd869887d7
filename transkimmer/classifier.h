#pragma once

#include <string>
#include <vector>

#include "transkimmer/bert_embeddings.h"
#include "transkimmer/skim_encoder.h"

namespace tk {

struct ClassifierOutput {
  Variable logits;  ///< [sentences, labels]
  EncoderOutput encoder;
};

/// BERT for sentence (pair) classification and regression, dense or skimmed. Parameters have the names that
/// BertForSequenceClassification publishes.
class BertClassifier {
 public:
  /// Weights are zeros (layer norms the identity) until initialize() or a checkpoint fills them.
  explicit BertClassifier(const Config& config);
  BertClassifier(const BertClassifier&) = delete;
  BertClassifier& operator=(const BertClassifier&) = delete;

  ClassifierOutput operator()(const Inputs& inputs, const Context& context, const ForwardOptions& options = {}) const;

  /// Draws every weight as BERT and Transkimmer do: N(0, initializer_range), biases 0, predictors so that they keep.
  void initialize(std::uint64_t seed);

  const Config& config() const { return config_; }
  const ParameterList& parameters() const { return parameters_; }

 private:
  Config config_;
  BertEmbeddings embeddings_;
  SkimEncoder encoder_;
  Linear pooler_;
  Linear classifier_;
  Dropout dropout_;
  ParameterList parameters_;
};

}  // namespace tk
