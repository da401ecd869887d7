#pragma once

#include "nn/optim/optimizer.h"
#include "tensor/ops/optim.h"

namespace tk {

/// AdamW in two passes over flat buffers: the norm, then clip, moments, update and clearing in one. Its state: exp_avg
/// and exp_avg_sq, PyTorch's names of the two moments, and of embeddings with sparse gradients `touched`, the rows that
/// ever had one.
class AdamW : public Optimizer {
 public:
  /// With bfloat16 each step writes the parameters' copies too.
  explicit AdamW(const ParameterList& parameters, const AdamWConstants& constants = {},
                 DType compute_dtype = DType::kFloat32, Shards shards = nullptr);
  /// With rates of its own, for step().
  AdamW(const ParameterList& parameters, const Rates& rates, const AdamWConstants& constants = {});

 private:
  struct RowMoments {
    Tensor m, v;
    Tensor touched;  // [rows] bool
  };

  void update(const Gradients& gradients, const Tensor& state) override;

  AdamWConstants constants_;
  Tensor m_, v_;
  std::vector<RowMoments> rows_;  // for each sparse parameter
};

/// Adam (Kingma & Ba, arXiv 1412.6980), which is AdamW without weight decay.
class Adam : public AdamW {
 public:
  Adam(const ParameterList& parameters, double learning_rate, const AdamWConstants& constants = {})
      : AdamW(parameters, Rates{.learning_rate = learning_rate}, constants) {}
};

}  // namespace tk
