#include "nn/parameter.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <set>

#include "tensor/ops/index.h"

namespace tk {

void BFloat16Copy::refresh() {
  if (version == value.version()) return;
  copy.copy_from(value);
  is_fresh();
}

Parameter::Parameter(const Shape& shape, bool decay) : variable_(zeros(shape), true), decay_(decay) {}

Parameter Parameter::int8(const Shape& shape) {
  Parameter parameter;
  parameter.variable_ = Variable(zeros(shape, DType::kInt8));
  parameter.scale_ = zeros({shape[0], 1});
  return parameter;
}

void Parameter::check_free() const {
  TK_CHECK(!is_kept(), "parameter: an optimizer keeps the values ", value().shape(),
           " in its buffers and would go on with those; move them before it is made");
}

// The node stays: a graph that was recorded before sends its gradient to where it is read.
void Parameter::move_to(const Tensor& value, const Tensor& grad) {
  check_free();
  value.copy_from(variable_.value());
  variable_ = Variable(value, variable_.node());
  if (grad.defined()) this->grad().use_buffer(grad);
  whole_copy_ = nullptr;
}

void Parameter::move_to(Device device) {
  if (value().device() == device) return;
  check_free();
  variable_ = Variable(value().to(device), variable_.node());
  if (trainable()) {
    variable_.node()->device = device;
    variable_.node()->grad.move_to(device);
  }
  whole_copy_ = nullptr;
}

void Parameter::quantize() {
  if (is_quantized()) return;
  check_free();
  const QuantizedRows rows = quantize_rows(value());
  variable_ = Variable(rows.values);
  scale_ = rows.scale;
  whole_copy_ = nullptr;
}

void Parameter::keep_copy_in(const std::shared_ptr<BFloat16Copy>& whole, const Tensor& part) {
  whole_copy_ = whole;
  copy_ = part;
}

Variable Parameter::as(DType dtype) const {
  if (dtype != DType::kBFloat16) return variable_;
  if (!whole_copy_) {
    copy_ = empty(value().shape(), dtype, value().device());
    whole_copy_ = std::make_shared<BFloat16Copy>(BFloat16Copy{.value = value(), .copy = copy_});
  }
  whole_copy_->refresh();
  return Variable(copy_, variable_.node());
}

void Parameter::make_sparse() {
  sparse_ = true;
  if (trainable()) grad().allow_sparse();
}

GradSlot& Parameter::grad() const {
  TK_CHECK(trainable(), "parameter: one of shape ", value().shape(), " is frozen and has no gradient");
  return variable_.node()->grad;
}

void Parameter::set_trainable(bool trainable) {
  if (trainable == this->trainable()) return;
  check_free();
  TK_CHECK(!is_quantized(), "parameter: an int8 weight, of shape ", value().shape(), ", is not trained");
  variable_ = Variable(value(), trainable);
  if (trainable && sparse_) grad().allow_sparse();
}

std::vector<NamedTensor> named_ranges(const NamedParameter& named, const Tensor& whole, const std::string& suffix) {
  std::vector<NamedTensor> ranges;
  const auto parts = static_cast<std::int64_t>(named.names.size());
  const std::int64_t rows = whole.shape()[0] / parts;
  for (std::int64_t i = 0; i < parts; ++i) {
    ranges.push_back({named.names[static_cast<std::size_t>(i)] + suffix, whole.narrow(0, i * rows, rows)});
  }
  return ranges;
}

namespace {

Tensor dense_gradient(const Parameter& parameter) {
  if (!parameter.trainable()) return zeros_like(parameter.value());
  const GradSlot& slot = parameter.grad();
  const Tensor dense = slot.dense().defined() ? slot.dense().clone() : zeros_like(parameter.value());
  for (const SparseRows& sparse : slot.sparse()) index_add_to(dense, sparse.rows, sparse.ids);
  return dense;
}

}  // namespace

std::vector<NamedTensor> named_values(const ParameterList& parameters) {
  std::vector<NamedTensor> values;
  for (const NamedParameter& named : parameters) {
    const Parameter& parameter = *named.parameter;
    for (NamedTensor& range : named_ranges(named, parameter.value())) values.push_back(std::move(range));
    if (!parameter.is_quantized()) continue;
    for (NamedTensor& range : named_ranges(named, parameter.quantized().scale, std::string(kScaleSuffix)))
      values.push_back(std::move(range));
  }
  return values;
}

std::vector<NamedTensor> named_gradients(const ParameterList& parameters) {
  std::vector<NamedTensor> gradients;
  for (const NamedParameter& named : parameters) {
    for (NamedTensor& range : named_ranges(named, dense_gradient(*named.parameter))) {
      gradients.push_back(std::move(range));
    }
  }
  return gradients;
}

namespace {

bool has_parts(const std::string& name, const std::string& parts) {
  return !parts.empty() && concat('.', name, '.').find(concat('.', parts, '.')) != std::string::npos;
}

}  // namespace

void freeze(const ParameterList& parameters, std::span<const std::string> frozen) {
  std::set<const Parameter*> chosen;
  for (const std::string& parts : frozen) {
    bool is_used = false;
    for (const NamedParameter& named : parameters) {
      const auto count = std::ranges::count_if(named.names, [&](const auto& name) { return has_parts(name, parts); });
      if (count == 0) continue;
      TK_CHECK(count == std::ssize(named.names), "freeze: ", parts, " is in the name of a part of one matrix with ",
               named.names.front(), " and ", named.names.back(), "; they are frozen together or not at all");
      chosen.insert(named.parameter);
      is_used = true;
    }
    TK_CHECK(is_used, "freeze: no parameter has ", parts, " in its name, such as ", parameters.front().names.front());
  }
  for (const NamedParameter& named : parameters) named.parameter->set_trainable(!chosen.contains(named.parameter));
}

ParameterList trainable(const ParameterList& parameters) {
  ParameterList some;
  std::ranges::copy_if(parameters, std::back_inserter(some),
                       [](const NamedParameter& named) { return named.parameter->trainable(); });
  return some;
}

std::int64_t count_elements(const ParameterList& parameters) {
  std::int64_t count = 0;
  std::set<const Parameter*> seen;
  for (const NamedParameter& named : parameters) {
    if (seen.insert(named.parameter).second) count += named.parameter->value().numel();
  }
  return count;
}

void copy_by_name(const char* op, std::span<const NamedTensor> to, std::span<const NamedTensor> from) {
  std::map<std::string, Tensor> given;
  for (const NamedTensor& named : from) given[named.name] = named.tensor;
  std::string wrong;
  for (const NamedTensor& named : to) {
    const auto found = given.find(named.name);
    const Tensor& x = named.tensor;
    if (found == given.end()) {
      wrong += concat("; missing ", named.name);
    } else if (found->second.shape() != x.shape() || found->second.dtype() != x.dtype()) {
      wrong += concat("; ", named.name, " is ", found->second.dtype(), ' ', found->second.shape(), ", expected ",
                      x.dtype(), ' ', x.shape());
    }
  }
  for (const NamedTensor& named : to) given.erase(named.name);
  for (const auto& [name, tensor] : given) wrong += concat("; unexpected ", name);
  TK_CHECK(wrong.empty(), op, ": the tensors given do not fit", wrong);
  for (const NamedTensor& named : from) given[named.name] = named.tensor;
  for (const NamedTensor& named : to) named.tensor.copy_from(given.at(named.name));
}

void init_normal(const Tensor& x, double mean, double deviation, std::uint64_t seed, std::uint32_t sequence) {
  Generator generator(seed, Purpose::kInit, sequence);
  std::vector<float> values(static_cast<std::size_t>(x.numel()));
  for (float& value : values) value = static_cast<float>(mean + deviation * generator.normal());
  x.copy_from(from_values(values, x.shape()));
}

}  // namespace tk
