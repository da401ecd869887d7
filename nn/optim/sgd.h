#pragma once

#include "nn/optim/optimizer.h"

namespace tk {

/// Stochastic gradient descent with momentum: b = momentum b + g + decay w, w -= rate b. Embeddings with sparse
/// gradients move by their rows alone, without momentum and decay. Its state: b, as momentum_buffer.
class Sgd : public Optimizer {
 public:
  /// With a compute dtype of bfloat16 the parameters' copies in it are kept fresh.
  explicit Sgd(const ParameterList& parameters, double momentum = 0, DType compute_dtype = DType::kFloat32);
  /// With rates of its own, for step().
  Sgd(const ParameterList& parameters, const Rates& rates, double momentum = 0);

 private:
  void update(const Gradients& gradients, const Tensor& state) override;

  double momentum_;
  Tensor buffer_;
};

}  // namespace tk
