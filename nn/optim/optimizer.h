#pragma once

#include <span>
#include <string>

#include "nn/flat_parameters.h"

namespace tk {

/// What optimizers share: parameters in flat buffers, gradients that are gathered and then applied, and what is kept
/// from step to step, under the parameters' published names. Learning rates, weight decays and the step number (1 for
/// the first) come from the step state.
class Optimizer {
 public:
  virtual ~Optimizer() = default;
  Optimizer(const Optimizer&) = delete;
  Optimizer& operator=(const Optimizer&) = delete;

  /// The gradients so far. Between this and apply() other ranks' may be added.
  Gradients gather() const { return parameters_.gather(); }
  /// One update from what gather() gave, or the like of it; the parameters' gradients are zeros afterwards, and so is
  /// `gradients.dense`. Writes the state's grad_norm. Throws for a group of parameters that was given no learning rate:
  /// on a device, which would have to wait for the host to look, in its first update that is not recorded.
  void apply(const Gradients& gradients, const Tensor& state);
  /// One update from the gradients so far.
  void step(const Tensor& state) { apply(gather(), state); }

  const FlatParameters& parameters() const { return parameters_; }
  /// What is kept from step to step, to save: views under `<published name>.<kind>`. With it, the parameters' values
  /// and the step state another optimizer over such parameters goes on with the same bits.
  std::vector<NamedTensor> state() const;
  /// Copies into state() what was saved. Throws, before anything is written, unless names, shapes and dtypes agree.
  void restore(std::span<const NamedTensor> saved);

 protected:
  /// `name` stands first in messages.
  Optimizer(const char* name, const ParameterList& parameters, DType compute_dtype);

  /// A buffer of zeros beside the flat values, part of the state.
  Tensor keep_flat(const char* kind);
  /// `tensor`, which has the rows of sparse parameter i, as part of the state.
  Tensor keep_rows(std::size_t i, const char* kind, const Tensor& tensor);

 private:
  virtual void update(const Gradients& gradients, const Tensor& state) = 0;
  void check_learning_rates(const Tensor& state);

  const char* name_;
  FlatParameters parameters_;
  std::vector<NamedTensor> flat_;               // kinds, like parameters_.value
  std::vector<std::vector<NamedTensor>> rows_;  // kinds, for each sparse parameter
  bool has_rates_ = false;
};

}  // namespace tk
