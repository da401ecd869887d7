#include "nn/optim/optimizer.h"

#include "nn/optim/clip_grad.h"
#include "tensor/backend.h"
#include "tensor/step_state.h"

namespace tk {
namespace {

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
  check_learning_rates(state);
  grad_norm(gradients, state);
  update(gradients, state);
  parameters_.clear_gradients(gradients.dense.shares_storage(parameters_.grad));
  parameters_.copy_is_fresh();
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

std::vector<NamedTensor> Optimizer::state() const {
  std::vector<NamedTensor> all;
  const auto add = [&](const NamedParameter& named, const Tensor& whole, const std::string& kind) {
    for (NamedTensor& range : named_ranges(named, whole, "." + kind)) all.push_back(std::move(range));
  };
  for (const DenseParameter& entry : parameters_.dense) {
    for (const NamedTensor& kind : flat_) add(entry, parameters_.range(kind.tensor, entry), kind.name);
  }
  for (std::size_t i = 0; i < rows_.size(); ++i) {
    for (const NamedTensor& kind : rows_[i]) add(parameters_.sparse[i], kind.tensor, kind.name);
  }
  return all;
}

void Optimizer::restore(std::span<const NamedTensor> saved) { copy_by_name(name_, state(), saved); }

}  // namespace tk
