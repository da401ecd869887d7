#pragma once

#include <optional>
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

  /// Keeps from here on, beside the parameters, the moving average of their values: moving_average() after each update,
  /// from what they are now. Before the first update.
  void keep_average(double decay);
  /// Exchanges the parameters' values and their averages, unless it is so already; nothing where none are kept. No
  /// update as long as the averages are shown.
  void show_average(bool shown);

  const FlatParameters& parameters() const { return parameters_; }
  /// What is kept from step to step, to save: views under `<published name>.<kind>`. With it, the parameters' values
  /// and the step state another optimizer over such parameters goes on with the same bits. Of averages the kind is
  /// `average`, or `trained` where the parameters have these and it is their own values that are kept.
  std::vector<NamedTensor> state() const;
  /// Copies into state() what was saved; averages are then shown where they were. Throws, before anything is written,
  /// unless names, shapes and dtypes agree.
  void restore(std::span<const NamedTensor> saved);

 protected:
  /// `name` stands first in messages.
  Optimizer(const char* name, const ParameterList& parameters, DType compute_dtype);

  /// A buffer of zeros beside the flat values, part of the state.
  Tensor keep_flat(const char* kind);
  /// `tensor`, which has the rows of sparse parameter i, as part of the state.
  Tensor keep_rows(std::size_t i, const char* kind, const Tensor& tensor);

 private:
  // Averages of the flat values and of each sparse parameter's.
  struct Average {
    double decay;
    Tensor flat;
    Tensors rows;
    bool shown = false;
  };

  std::vector<NamedTensor> state(bool average_is_shown) const;
  virtual void update(const Gradients& gradients, const Tensor& state) = 0;
  void check_learning_rates(const Tensor& state);

  const char* name_;
  FlatParameters parameters_;
  std::vector<NamedTensor> flat_;               // kinds, like parameters_.value
  std::vector<std::vector<NamedTensor>> rows_;  // kinds, for each sparse parameter
  std::optional<Average> average_;
  bool has_rates_ = false;
};

}  // namespace tk
