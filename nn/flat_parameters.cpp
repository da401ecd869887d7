#include "nn/flat_parameters.h"

#include <map>
#include <set>
#include <string>

#include "tensor/ops/join.h"

namespace tk {
namespace {

SparseRows coalesced(const SparseParameter& entry) {
  const GradSlot& slot = entry.parameter->grad();
  TK_CHECK(!slot.dense().defined(), "optimizer: a dense gradient arrived for ", entry.names.front(),
           ", which takes rows alone; do not make it sparse");
  if (slot.sparse().size() == 1 && slot.sparse().front().coalesced) return slot.sparse().front();
  Tensors ids, rows;
  for (const SparseRows& part : slot.sparse()) {
    ids.push_back(part.ids);
    rows.push_back(part.rows);
  }
  if (!ids.empty()) return coalesce({join(ids), join(rows)});
  const Tensor& value = entry.parameter->value();
  return {empty({0}, DType::kInt32, value.device()), empty({0, value.shape()[1]}, DType::kFloat32, value.device())};
}

// How the step state's rates apply to a parameter.
StepGroup step_group(const Parameter& parameter) {
  return {.index = group_index(parameter.group()), .decays = parameter.decay()};
}

}  // namespace

FlatParameters::FlatParameters(const ParameterList& parameters, DType compute_dtype)
    : keeper_(std::make_shared<char>()) {
  take(parameters);
  const Device device = parameters.empty() ? Device::kCpu : parameters.front().parameter->value().device();
  constexpr std::int64_t kAlignment = 16;  // elements: every parameter starts at a multiple of 64 bytes
  std::vector<std::int64_t> rows;
  std::int64_t size = 0;
  for (DenseParameter& entry : dense) {
    const StepGroup group = step_group(*entry.parameter);
    entry.begin = size;
    size += entry.parameter->value().numel();
    rows.insert(rows.end(), {entry.begin, size, group.index, group.decays});
    size = (size + kAlignment - 1) / kAlignment * kAlignment;
  }
  value = zeros({size}, DType::kFloat32, device);
  grad = zeros({size}, DType::kFloat32, device);
  if (compute_dtype == DType::kBFloat16) {
    copy = empty({size}, compute_dtype, device);
    whole_copy_ = std::make_shared<BFloat16Copy>(BFloat16Copy{.value = value, .copy = copy});
  }
  segments = from_values(rows, {static_cast<std::int64_t>(dense.size()), 4}, device);
  move_in();
}

// Lists each parameter once. Nothing was moved if it throws.
void FlatParameters::take(const ParameterList& parameters) {
  std::set<const Parameter*> seen;
  std::map<const Node*, std::string> storages;
  for (const NamedParameter& named : parameters) {
    const Parameter& parameter = *named.parameter;
    if (!seen.insert(&parameter).second) continue;
    const std::string& name = named.names.front();
    TK_CHECK(!parameter.is_kept(), "optimizer: ", name, " lies in the buffers of another optimizer that still lives");
    const auto [first, is_new] = storages.try_emplace(parameter.variable().node().get(), name);
    TK_CHECK(is_new, "optimizer: ", name, " is a copy of ", first->second,
             " and would be torn from it; list one parameter under both names");
    TK_CHECK(parameter.value().device() == parameters.front().parameter->value().device(), "optimizer: ", name,
             " lies on ", parameter.value().device(), ", others on ", parameters.front().parameter->value().device());
    if (parameter.sparse()) {
      sparse.push_back({named, step_group(parameter)});
    } else {
      dense.push_back({named, 0});
    }
  }
}

void FlatParameters::move_in() {
  for (const DenseParameter& entry : dense) {
    entry.parameter->move_to(range(value, entry), range(grad, entry));
    if (whole_copy_) entry.parameter->keep_copy_in(whole_copy_, range(copy, entry));
    entry.parameter->keep(keeper_);
  }
  for (const SparseParameter& entry : sparse) entry.parameter->keep(keeper_);
  if (whole_copy_) whole_copy_->refresh();
}

Tensor FlatParameters::range(const Tensor& buffer, const DenseParameter& entry) const {
  const Shape& shape = entry.parameter->value().shape();
  return buffer.narrow(0, entry.begin, shape.numel()).reshape(shape);
}

void FlatParameters::clear_if_unreached(const DenseParameter& entry) const {
  const Tensor& value = entry.parameter->value();
  GradSlot& slot = entry.parameter->grad();
  if (!slot.filled()) slot.target(value.shape(), DType::kFloat32, value.device()).out.fill(0);
}

Gradients FlatParameters::gather() const {
  for (const DenseParameter& entry : dense) clear_if_unreached(entry);
  Gradients gradients{.dense = grad, .sparse = {}};
  for (const SparseParameter& entry : sparse) gradients.sparse.push_back(coalesced(entry));
  return gradients;
}

void FlatParameters::copy_is_fresh() const {
  if (whole_copy_) whole_copy_->is_fresh();
}

void FlatParameters::clear_gradients() const {
  for (const DenseParameter& entry : dense) entry.parameter->grad().clear();
  for (const SparseParameter& entry : sparse) entry.parameter->grad().clear();
}

}  // namespace tk
