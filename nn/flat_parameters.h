#pragma once

#include <memory>

#include "nn/parameter.h"
#include "tensor/kernel_arguments.h"
#include "tensor/ops/index.h"

namespace tk {

/// A parameter whose value and gradient are elements `begin` to `begin` + numel of the flat buffers.
struct DenseParameter : NamedParameter {
  std::int64_t begin = 0;
};

/// An embedding whose gradient is a list of rows: it keeps its own storage.
struct SparseParameter : NamedParameter {
  StepGroup group;
};

/// The gradients of all parameters: what ranks that train one model join before it is applied.
struct Gradients {
  Tensor dense;                    ///< [n] float32, in the order of the flat buffers
  std::vector<SparseRows> sparse;  ///< of each sparse parameter, coalesced; empty ids where none arrived
  Tensor squares = {};             ///< squared_norms of `dense`, where they were made beside the walk back
};

/// All dense parameters side by side in flat buffers, values and gradients, so that a norm or an update is
/// one pass over everything. Moves the parameters' storage there, with gradients that had arrived; they must outlive
/// it, and as long as it lives nobody else may move them. A parameter that is listed twice has one place, under its
/// first names.
struct FlatParameters {
  /// Throws unless all parameters lie on one device and in nobody else's buffers. With bfloat16 there is a copy of the
  /// values in that dtype too.
  explicit FlatParameters(const ParameterList& parameters, DType compute_dtype = DType::kFloat32);

  Tensor value;     ///< [n] float32
  Tensor grad;      ///< [n] float32; what no gradient was written to since clear_gradients() is zero after gather()
  Tensor copy;      ///< [n] bfloat16, or undefined
  Tensor segments;  ///< [k, 4] int64: begin, end, StepGroup's index and decay of each dense parameter
  std::vector<DenseParameter> dense;
  std::vector<SparseParameter> sparse;

  /// The gradients so far: `grad` itself, and each sparse one gathered by ascending row. Reads nothing back.
  Gradients gather() const;
  /// Zeros in `grad` for a parameter that no gradient has reached: from then on that is its gradient.
  void clear_if_unreached(const DenseParameter& entry) const;
  /// Says that the gradients were used: the next ones are written over them.
  void clear_gradients() const;
  /// Says that the copy was written together with the values.
  void copy_is_fresh() const;
  /// The part of a buffer like `value` that is this parameter's, in its shape.
  Tensor range(const Tensor& buffer, const DenseParameter& entry) const;

 private:
  void take(const ParameterList& parameters);
  void move_in();

  std::shared_ptr<const void> keeper_;        // alive as long as one of these is
  std::shared_ptr<BFloat16Copy> whole_copy_;  // `copy`; null without one
};

/// The index of a group in StepState's arrays.
constexpr std::int64_t group_index(ParameterGroup group) { return static_cast<std::int64_t>(group); }

}  // namespace tk
