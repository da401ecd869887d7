#pragma once

#include "transkimmer/classifier.h"
#include "transkimmer/families/bert.h"

namespace tk::test {

/// Embeddings and encoder with the weights of a model, part by part.
struct Parts {
  explicit Parts(const BertClassifier& model) : embeddings(model.config()), encoder(model.config()) {
    embeddings.collect(parameters, kBert.weights);
    encoder.collect(parameters, kBert.weights);
    const std::vector<NamedTensor> own = named_values(parameters), all = named_values(model.parameters());
    for (std::size_t i = 0; i < own.size(); ++i) own[i].tensor.copy_from(all[i].tensor);
  }

  BertEmbeddings embeddings;
  SkimEncoder encoder;
  ParameterList parameters;
};

}  // namespace tk::test
