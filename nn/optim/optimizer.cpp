#include "nn/optim/optimizer.h"

#include <algorithm>

#include "nn/optim/clip_grad.h"
#include "tensor/backend.h"
#include "tensor/ops/optim.h"
#include "tensor/step_state.h"

namespace tk {
namespace {

constexpr const char* kAverage = "average";  // kinds of state
constexpr const char* kTrained = "trained";

const char* to_string(ParameterGroup group) { return group == ParameterGroup::kBase ? "base" : "predictor"; }

}  // namespace

Optimizer::Optimizer(const char* name, const ParameterList& parameters, DType compute_dtype)
    : name_(name), parameters_(parameters, compute_dtype), rows_(parameters_.sparse.size()) {}

Tensor Optimizer::keep_flat(const char* kind) {
  return flat_.emplace_back(NamedTensor{kind, zeros_like(parameters_.value)}).tensor;
}

Tensor Optimizer::keep_rows(std::size_t i, const char* kind, const Tensor& tensor) {
  return rows_[i].emplace_back(NamedTensor{kind, tensor}).tensor;
}

void Optimizer::apply(const Gradients& gradients, const Tensor& state) {
  TK_CHECK(gradients.sparse.size() == parameters_.sparse.size(), name_, ": expected the sparse gradients of ",
           parameters_.sparse.size(), " parameters, got ", gradients.sparse.size());
  TK_CHECK(!average_ || !average_->shown, name_, ": the parameters' averages are shown; nothing updates those");
  check_learning_rates(state);
  tk::grad_norm(gradients, state);
  update(gradients, state);
  if (average_) {
    moving_average(average_->flat, parameters_.value, state, average_->decay);
    for (std::size_t i = 0; i < rows_.size(); ++i) {
      moving_average(average_->rows[i], parameters_.sparse[i].parameter->value(), state, average_->decay);
    }
  }
  parameters_.clear_gradients(gradients.dense.shares_storage(parameters_.grad));
  parameters_.copy_is_fresh();
}

void Optimizer::set_rates(const Rates& rates) {
  TK_CHECK(rates.learning_rate.is_given(), name_, ": the rates have no learning rate");
  rates_ = rates;
  if (!own_state_.defined()) own_state_ = make_step_state({}, parameters_.value.device());
}

void Optimizer::set_learning_rate(double rate) {
  check_own_rates();
  rates_.learning_rate = rate;
}

void Optimizer::check_own_rates() const {
  TK_CHECK(own_state_.defined(), name_, ": it has no rates of its own: give it some, or step(state)");
}

void Optimizer::step() {
  check_own_rates();
  StepState state{.step = ++own_steps_};
  for (LearningRate& rate : state.learning_rate) rate = rates_.learning_rate;
  for (double& decay : state.weight_decay) decay = rates_.weight_decay;
  state.max_grad_norm = rates_.max_grad_norm;
  set_step(own_state_, state);
  step(own_state_);
}

double Optimizer::grad_norm() const {
  check_own_rates();
  return read_step_state(own_state_).grad_norm;
}

void Optimizer::check_learning_rates(const Tensor& state) {
  const bool costs_nothing = state.device() == Device::kCpu;
  if (!costs_nothing && (has_rates_ || is_recording(state.device()))) return;
  const StepState now = read_step_state(state);
  const auto check = [&](const NamedParameter& named) {
    const ParameterGroup group = named.parameter->group();
    TK_CHECK(now.learning_rate[group_index(group)].is_given(), name_, ": no learning rate for group ", to_string(group),
             ", to which ", named.names.front(), " belongs");
  };
  for (const DenseParameter& entry : parameters_.dense) check(entry);
  for (const SparseParameter& entry : parameters_.sparse) check(entry);
  has_rates_ = true;
}

void Optimizer::keep_average(double decay) {
  average_ = {.decay = decay, .flat = parameters_.value.clone(), .rows = {}};
  for (const SparseParameter& entry : parameters_.sparse) {
    average_->rows.push_back(entry.parameter->value().clone());
  }
}

namespace {

void exchange(const Tensor& a, const Tensor& b) {
  const Tensor before = a.clone();
  a.copy_from(b);
  b.copy_from(before);
}

}  // namespace

void Optimizer::show_average(bool shown) {
  if (!average_ || average_->shown == shown) return;
  exchange(parameters_.value, average_->flat);
  for (std::size_t i = 0; i < rows_.size(); ++i) {
    exchange(parameters_.sparse[i].parameter->value(), average_->rows[i]);
  }
  // A recorded step reads the copy, and does not look whether it is that of these values.
  if (parameters_.copy.defined()) parameters_.copy.copy_from(parameters_.value);
  parameters_.copy_is_fresh();
  average_->shown = shown;
}

std::vector<NamedTensor> Optimizer::state() const { return state(average_ && average_->shown); }

std::vector<NamedTensor> Optimizer::state(bool average_is_shown) const {
  std::vector<NamedTensor> all;
  const char* average = average_is_shown ? kTrained : kAverage;
  const auto add = [&](const NamedParameter& named, const Tensor& whole, const std::string& kind) {
    for (NamedTensor& range : named_ranges(named, whole, "." + kind)) all.push_back(std::move(range));
  };
  for (const DenseParameter& entry : parameters_.dense) {
    for (const NamedTensor& kind : flat_) add(entry, parameters_.range(kind.tensor, entry), kind.name);
    if (average_) add(entry, parameters_.range(average_->flat, entry), average);
  }
  for (std::size_t i = 0; i < rows_.size(); ++i) {
    for (const NamedTensor& kind : rows_[i]) add(parameters_.sparse[i], kind.tensor, kind.name);
    if (average_) add(parameters_.sparse[i], average_->rows[i], average);
  }
  return all;
}

void Optimizer::restore(std::span<const NamedTensor> saved) {
  const bool shown = average_ && std::ranges::any_of(saved, [](const NamedTensor& named) {
                       return named.name.ends_with(concat('.', kTrained));
                     });
  copy_by_name(name_, state(shown), saved);
  if (average_) average_->shown = shown;
}

}  // namespace tk
