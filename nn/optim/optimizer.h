#pragma once

#include <optional>
#include <span>
#include <string>

#include "nn/flat_parameters.h"
#include "tensor/communicator.h"
#include "tensor/step_state.h"

namespace tk {

/// Rates of an optimizer that steps by itself: of all its parameters, whatever their group.
struct Rates {
  LearningRate learning_rate;
  double weight_decay = 0;
  double max_grad_norm = 0;  ///< 0: no clipping
};

/// Ranks that share out what an optimizer keeps for the flat parameters, and their updates: each has the range of
/// ranges_of (ZeRO, stage 1: Rajbhandari et al., arXiv 1910.02054). Null: everything is here.
using Shards = Communicator*;

/// What optimizers share: parameters in flat buffers, gradients that are gathered and then applied, and what is kept
/// from step to step, under the parameters' published names. Learning rates, weight decays and the step number (1 for
/// the first) come from a step state: the caller's, or with `Rates` the optimizer's own.
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
  /// The next update by rates of its own. Throws where it was made without.
  void step();
  /// The rates of the next steps.
  void set_rates(const Rates& rates);
  void set_learning_rate(double rate);
  /// How many steps it has made by itself; one whose state() was restored goes on from those of its origin.
  std::int64_t steps() const { return own_steps_; }
  void set_steps(std::int64_t steps) { own_steps_ = steps; }
  /// The norm of the gradients at its last own step, before clipping.
  double grad_norm() const;

  /// Keeps from here on, beside the parameters, the moving average of their values: moving_average() after each update,
  /// from what they are now. Before the first update.
  void keep_average(double decay);
  /// Exchanges the parameters' values and their averages, unless it is so already; nothing where none are kept. No
  /// update as long as the averages are shown.
  void show_average(bool shown);

  const FlatParameters& parameters() const { return parameters_; }
  /// What is kept from step to step, to save: under `<published name>.<kind>`, views but of shards, which all ranks
  /// have to ask for together. With it, the parameters' values and the step state another optimizer over such
  /// parameters goes on with the same bits. Of averages the kind is `average`, or `trained` where the parameters have
  /// these and it is their own values that are kept.
  std::vector<NamedTensor> state() const;
  /// Copies into state() what was saved; averages are then shown where they were. Throws, before anything is written,
  /// unless names, shapes and dtypes agree.
  void restore(std::span<const NamedTensor> saved);

 protected:
  /// `name` stands first in messages.
  Optimizer(const char* name, const ParameterList& parameters, DType compute_dtype, Shards shards = nullptr);

  /// The range of a buffer like the flat values that this rank updates: all of it without shards.
  Tensor own(const Tensor& flat) const;
  /// FlatParameters::segments of that range.
  const Tensor& own_segments() const { return segments_; }
  /// A buffer of zeros beside that range of the flat values, part of the state.
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
  std::vector<NamedTensor> state_of(std::span<const NamedTensor> flat, bool average_is_shown) const;
  std::vector<NamedTensor> whole_flat() const;
  Tensor whole(const Tensor& its) const;
  void write_norm(const Gradients& gradients, const Tensor& state) const;
  void clear_others() const;
  void share_values() const;
  virtual void update(const Gradients& gradients, const Tensor& state) = 0;
  void check_learning_rates(const Tensor& state);
  void check_own_rates() const;

  const char* name_;
  FlatParameters parameters_;
  Shards shards_;
  std::vector<std::int64_t> bounds_;  // of the ranks' ranges
  Tensor segments_;
  std::vector<NamedTensor> flat_;               // kinds, like own(parameters_.value)
  std::vector<std::vector<NamedTensor>> rows_;  // kinds, for each sparse parameter
  std::optional<Average> average_;
  Rates rates_;
  std::int64_t own_steps_ = 0;
  Tensor own_state_;  // step_state; undefined without rates of its own
  bool has_rates_ = false;
};

}  // namespace tk
