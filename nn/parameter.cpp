#include "nn/parameter.h"

#include "tensor/ops/index.h"

namespace tk {

Parameter::Parameter(const Shape& shape, bool decay) : variable_(zeros(shape), true), decay_(decay) {}

void Parameter::move_to(const Tensor& value, const Tensor& grad) {
  value.copy_from(variable_.value());
  variable_ = Variable(value, true);
  if (sparse_) variable_.node()->grad.allow_sparse();
  if (grad.defined()) variable_.node()->grad.use_buffer(grad);
  copy_ = Tensor();
}

void Parameter::move_to(Device device) {
  if (value().device() == device) return;
  variable_ = Variable(value().to(device), true);
  if (sparse_) variable_.node()->grad.allow_sparse();
  copy_ = Tensor();
}

void Parameter::keep_copy_in(const Tensor& copy) {
  copy.copy_from(value());
  copy_ = copy;
  copy_is_fresh();
}

Variable Parameter::as(DType dtype) const {
  if (dtype != DType::kBFloat16) return variable_;
  const bool is_new = !copy_.defined();
  if (is_new) copy_ = empty(value().shape(), dtype, value().device());
  if (is_new || copy_version_ != value().version()) {
    copy_.copy_from(value());
    copy_is_fresh();
  }
  return Variable(copy_, variable_.node());
}

void Parameter::make_sparse() {
  sparse_ = true;
  variable_.node()->grad.allow_sparse();
}

namespace {

std::vector<NamedTensor> named_ranges(const NamedParameter& named, const Tensor& whole) {
  std::vector<NamedTensor> ranges;
  const auto parts = static_cast<std::int64_t>(named.names.size());
  const std::int64_t rows = whole.shape()[0] / parts;
  for (std::int64_t i = 0; i < parts; ++i) {
    ranges.push_back({named.names[static_cast<std::size_t>(i)], whole.narrow(0, i * rows, rows)});
  }
  return ranges;
}

Tensor dense_gradient(const Parameter& parameter) {
  const GradSlot& slot = parameter.grad();
  const Tensor dense = slot.dense().defined() ? slot.dense().clone() : zeros_like(parameter.value());
  for (const SparseRows& sparse : slot.sparse()) index_add_to(dense, sparse.rows, sparse.ids);
  return dense;
}

}  // namespace

std::vector<NamedTensor> named_values(const ParameterList& parameters) {
  std::vector<NamedTensor> values;
  for (const NamedParameter& named : parameters) {
    for (NamedTensor& range : named_ranges(named, named.parameter->value())) values.push_back(std::move(range));
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

std::int64_t count_elements(const ParameterList& parameters) {
  std::int64_t count = 0;
  for (const NamedParameter& named : parameters) count += named.parameter->value().numel();
  return count;
}

void init_normal(const Tensor& x, double mean, double deviation, std::uint64_t seed, std::uint32_t sequence) {
  Generator generator(seed, Purpose::kInit, sequence);
  std::vector<float> values(static_cast<std::size_t>(x.numel()));
  for (float& value : values) value = static_cast<float>(mean + deviation * generator.normal());
  x.copy_from(from_values(values, x.shape()));
}

}  // namespace tk
