#include "nn/optim/optimizer.h"

#include <algorithm>

#include "nn/optim/clip_grad.h"
#include "nn/parallel/gradient_tree.h"
#include "tensor/backend.h"
#include "tensor/ops/optim.h"
#include "tensor/step_state.h"

namespace tk {
namespace {

constexpr const char* kAverage = "average";  // kinds of state
constexpr const char* kTrained = "trained";

const char* to_string(ParameterGroup group) { return group == ParameterGroup::kBase ? "base" : "predictor"; }

// What of the segments lies in [begin, end), counted from there.
Tensor segments_in(const Tensor& segments, std::int64_t begin, std::int64_t end) {
  const std::vector<std::int64_t> all = segments.to(Device::kCpu).to_vector<std::int64_t>();
  std::vector<std::int64_t> rows;
  for (std::size_t i = 0; i < all.size(); i += 4) {
    const std::int64_t from = std::max(all[i], begin), to = std::min(all[i + 1], end);
    if (from < to) rows.insert(rows.end(), {from - begin, to - begin, all[i + 2], all[i + 3]});
  }
  return from_values(rows, {std::ssize(rows) / 4, 4}, segments.device());
}

}  // namespace

Optimizer::Optimizer(const char* name, const ParameterList& parameters, DType compute_dtype, Shards shards)
    : name_(name), parameters_(parameters, compute_dtype), shards_(shards), rows_(parameters_.sparse.size()) {
  bounds_ = ranges_of(parameters_.value.numel(), shards_ ? shards_->size() : 1);
  const std::size_t rank = shards_ ? static_cast<std::size_t>(shards_->rank()) : 0;
  segments_ = segments_in(parameters_.segments, bounds_[rank], bounds_[rank + 1]);
}

Tensor Optimizer::own(const Tensor& flat) const {
  const std::size_t rank = shards_ ? static_cast<std::size_t>(shards_->rank()) : 0;
  return flat.defined() ? flat.narrow(0, bounds_[rank], bounds_[rank + 1] - bounds_[rank]) : flat;
}

Tensor Optimizer::keep_flat(const char* kind) {
  return flat_.emplace_back(NamedTensor{kind, zeros_like(own(parameters_.value))}).tensor;
}

Tensor Optimizer::keep_rows(std::size_t i, const char* kind, const Tensor& tensor) {
  return rows_[i].emplace_back(NamedTensor{kind, tensor}).tensor;
}

void Optimizer::apply(const Gradients& gradients, const Tensor& state) {
  TK_CHECK(gradients.sparse.size() == parameters_.sparse.size(), name_, ": expected the sparse gradients of ",
           parameters_.sparse.size(), " parameters, got ", gradients.sparse.size());
  TK_CHECK(!average_ || !average_->shown, name_, ": the parameters' averages are shown; nothing updates those");
  check_learning_rates(state);
  write_norm(gradients, state);
  update(gradients, state);
  if (shards_) share_values();
  if (average_) {
    moving_average(average_->flat, parameters_.value, state, average_->decay);
    for (std::size_t i = 0; i < rows_.size(); ++i) {
      moving_average(average_->rows[i], parameters_.sparse[i].parameter->value(), state, average_->decay);
    }
  }
  const bool cleared = gradients.dense.shares_storage(parameters_.grad);
  if (shards_ && cleared) clear_others();
  parameters_.clear_gradients(cleared);
  parameters_.copy_is_fresh();
}

// Of shards each rank has the sums of its range: together those of all, in their order.
void Optimizer::write_norm(const Gradients& gradients, const Tensor& state) const {
  if (!shards_) return tk::grad_norm(gradients, state);
  std::int64_t chunks = norm_chunks(gradients.dense.numel());
  const std::int64_t of_dense = chunks;
  for (const SparseRows& rows : gradients.sparse) chunks += norm_chunks(rows.rows.numel());
  const Tensor partial = empty({chunks}, DType::kFloat64, state.device());
  std::vector<std::int64_t> bounds;
  for (const std::int64_t bound : bounds_) bounds.push_back(norm_chunks(bound));
  const auto rank = static_cast<std::size_t>(shards_->rank());
  squared_norms(partial.narrow(0, bounds[rank], bounds[rank + 1] - bounds[rank]), own(gradients.dense));
  shards_->all_gather(partial.narrow(0, 0, of_dense), bounds);
  std::int64_t done = of_dense;
  for (const SparseRows& rows : gradients.sparse) {
    const Tensor range = partial.narrow(0, done, norm_chunks(rows.rows.numel()));
    squared_norms(range, rows.rows);
    done += range.numel();
  }
  set_grad_norm(state, partial);
}

// Of the gradient what this rank does not update; the update has cleared its own range.
void Optimizer::clear_others() const {
  const auto rank = static_cast<std::size_t>(shards_->rank());
  const Tensor& grad = parameters_.grad;
  grad.narrow(0, 0, bounds_[rank]).fill(0);
  grad.narrow(0, bounds_[rank + 1], grad.numel() - bounds_[rank + 1]).fill(0);
}

// What each rank has updated, for all.
void Optimizer::share_values() const {
  shards_->all_gather(parameters_.value, bounds_);
  if (parameters_.copy.defined()) parameters_.copy.copy_from(parameters_.value);
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
  TK_CHECK(!shards_, name_, ": an average is not kept beside shards");
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

// What all ranks keep of a kind.
Tensor Optimizer::whole(const Tensor& its) const {
  if (!shards_) return its;
  const Tensor all = zeros_like(parameters_.value);
  own(all).copy_from(its);
  shards_->all_gather(all, bounds_);
  shards_->milestone()();
  return all;
}

std::vector<NamedTensor> Optimizer::whole_flat() const {
  std::vector<NamedTensor> all;
  for (const NamedTensor& kind : flat_) all.push_back({kind.name, whole(kind.tensor)});
  return all;
}

std::vector<NamedTensor> Optimizer::state(bool average_is_shown) const {
  return state_of(whole_flat(), average_is_shown);
}

std::vector<NamedTensor> Optimizer::state_of(std::span<const NamedTensor> flat, bool average_is_shown) const {
  std::vector<NamedTensor> all;
  const char* average = average_is_shown ? kTrained : kAverage;
  const auto add = [&](const NamedParameter& named, const Tensor& whole, const std::string& kind) {
    for (NamedTensor& range : named_ranges(named, whole, "." + kind)) all.push_back(std::move(range));
  };
  for (const DenseParameter& entry : parameters_.dense) {
    for (const NamedTensor& kind : flat) add(entry, parameters_.range(kind.tensor, entry), kind.name);
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
  const std::vector<NamedTensor> flat = whole_flat();
  copy_by_name(name_, state_of(flat, shown), saved);
  for (std::size_t i = 0; shards_ && i < flat_.size(); ++i) flat_[i].tensor.copy_from(own(flat[i].tensor));
  if (average_) average_->shown = shown;
}

}  // namespace tk
