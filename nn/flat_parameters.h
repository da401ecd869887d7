#pragma once

#include "nn/parameter.h"

namespace tk {

/// An embedding whose gradient is a list of rows: it keeps its own storage.
struct SparseParameter {
  Parameter* parameter;
  std::int64_t group;  ///< of StepState
};

/// All dense parameters side by side in flat buffers, values and gradients, so that a norm, an update or a clearing is
/// one pass over everything. Moves the parameters' storage there; they must outlive it.
struct FlatParameters {
  /// Parameters lie on one device. With bfloat16 there is a copy of the values in that dtype too.
  explicit FlatParameters(const ParameterList& parameters, DType compute_dtype = DType::kFloat32);

  Tensor value;     ///< [n] float32
  Tensor grad;      ///< [n] float32, zeros between steps
  Tensor copy;      ///< [n] bfloat16, or undefined
  Tensor segments;  ///< [k, 3] int64: begin, end and StepState group of each parameter
  std::vector<Parameter*> dense;
  std::vector<SparseParameter> sparse;

  /// Gathers each sparse gradient by ascending row; empty ids where none arrived.
  std::vector<SparseRows> coalesced() const;
  /// Says that the gradients were used: buffers are zeros already if `cleared`.
  void clear_gradients(bool cleared) const;
  /// Says that the copy was written together with the values.
  void copy_is_fresh() const;
};

/// The StepState group of a parameter: base with and without decay, then predictors with and without decay.
std::int64_t step_group(const Parameter& parameter);

}  // namespace tk
