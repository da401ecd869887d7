#pragma once

#include <vector>

#include "transkimmer/classifier.h"
#include "transkimmer/training/trainer.h"

// What the trainer's tests have in common.
namespace tk::test {

inline TrainerOptions few_steps(std::int64_t steps, double learning_rate) {
  TrainerOptions options;
  options.max_steps = steps;
  options.learning_rate = learning_rate;
  return options;
}

/// All values, in the order of the parameters.
inline std::vector<float> weights(const BertClassifier& model) {
  std::vector<float> all;
  for (const NamedTensor& named : named_values(model.parameters())) {
    const std::vector<float> some = named.tensor.to_vector<float>();
    all.insert(all.end(), some.begin(), some.end());
  }
  return all;
}

// The same tensors elsewhere.
inline std::vector<NamedTensor> cloned(std::vector<NamedTensor> tensors) {
  for (NamedTensor& named : tensors) named.tensor = named.tensor.clone();
  return tensors;
}

}  // namespace tk::test
