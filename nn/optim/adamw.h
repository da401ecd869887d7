#pragma once

#include <string>

#include "nn/flat_parameters.h"
#include "tensor/ops/optim.h"

namespace tk {

/// AdamW in two passes over flat buffers: the norm, then clip, moments, update and clearing in one. Learning rates,
/// weight decays and the step number (1 for the first) come from the step state.
class AdamW {
 public:
  /// With bfloat16 each step writes the parameters' copies too.
  explicit AdamW(const ParameterList& parameters, const AdamWConstants& constants = {},
                 DType compute_dtype = DType::kFloat32);

  /// One update from the gathered gradients, which are zeros afterwards. Writes the state's grad_norm.
  void step(const Tensor& state);

  const FlatParameters& parameters() const { return parameters_; }
  /// The moments, to save and restore.
  std::vector<NamedTensor> state_tensors() const;

 private:
  struct RowMoments {
    Tensor m, v;
    Tensor touched;  // [rows] bool: rows that ever had a gradient
  };

  FlatParameters parameters_;
  AdamWConstants constants_;
  Tensor m_, v_;
  std::vector<RowMoments> rows_;  // for each sparse parameter
};

}  // namespace tk
