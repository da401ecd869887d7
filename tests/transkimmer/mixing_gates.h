#pragma once

#include <string>

#include "nn/parameter.h"
#include "transkimmer/classifier.h"

namespace tk::test {

/// Initial weights of a model whose gates really mix: about half the rows go.
inline void initialize_with_mixing_gates(BertClassifier& model) {
  model.initialize(11);
  const bool staged = model.config().skim_gate == SkimGate::kStaged;
  for (const NamedTensor& named : named_values(model.parameters())) {
    if (named.name.ends_with("predictor.4.weight")) init_normal(named.tensor, 0, 1.5, 5, 1);
    if (named.name.ends_with("predictor.4.bias")) named.tensor.fill(staged ? 0.5 : 0);
  }
}

}  // namespace tk::test
