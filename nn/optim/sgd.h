#pragma once

#include "nn/flat_parameters.h"

namespace tk {

/// Stochastic gradient descent with momentum: b = momentum b + g + decay w, w -= rate b. Embeddings with sparse
/// gradients move by their rows alone, without momentum and decay.
class Sgd {
 public:
  /// With a compute dtype of bfloat16 the parameters' copies in it are kept fresh.
  explicit Sgd(const ParameterList& parameters, double momentum = 0, DType compute_dtype = DType::kFloat32);

  /// One update from the gathered gradients, which are zeros afterwards. Writes the state's grad_norm.
  void step(const Tensor& state);

 private:
  FlatParameters parameters_;
  double momentum_;
  Tensor buffer_;
};

}  // namespace tk
