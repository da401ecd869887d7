#include "nn/flat_parameters.h"

#include "tensor/ops/join.h"

namespace tk {

std::int64_t step_group(const Parameter& parameter) {
  return (parameter.group() == ParameterGroup::kPredictor ? 2 : 0) + (parameter.decay() ? 0 : 1);
}

FlatParameters::FlatParameters(const ParameterList& parameters, DType compute_dtype) {
  constexpr std::int64_t kAlignment = 16;  // elements: every parameter starts at a multiple of 64 bytes
  std::vector<std::int64_t> rows;
  std::int64_t size = 0;
  for (const NamedParameter& named : parameters) {
    Parameter& parameter = *named.parameter;
    if (parameter.sparse()) {
      sparse.push_back({&parameter, step_group(parameter)});
      continue;
    }
    dense.push_back(&parameter);
    rows.insert(rows.end(), {size, size + parameter.value().numel(), step_group(parameter)});
    size = (size + parameter.value().numel() + kAlignment - 1) / kAlignment * kAlignment;
  }
  const Device device = parameters.empty() ? Device::kCpu : parameters.front().parameter->value().device();
  value = zeros({size}, DType::kFloat32, device);
  grad = zeros({size}, DType::kFloat32, device);
  if (compute_dtype == DType::kBFloat16) copy = zeros({size}, compute_dtype, device);
  segments = from_values(rows, {static_cast<std::int64_t>(dense.size()), 3}, device);
  for (std::size_t i = 0; i < dense.size(); ++i) {
    const Shape shape = dense[i]->value().shape();
    const std::int64_t begin = rows[3 * i];
    dense[i]->move_to(value.narrow(0, begin, shape.numel()).reshape(shape),
                      grad.narrow(0, begin, shape.numel()).reshape(shape));
    if (copy.defined()) dense[i]->keep_copy_in(copy.narrow(0, begin, shape.numel()).reshape(shape));
  }
  copy_is_fresh();  // the parameters share one storage, which each that moved in has changed
}

std::vector<SparseRows> FlatParameters::coalesced() const {
  std::vector<SparseRows> gradients;
  for (const SparseParameter& entry : sparse) {
    Tensors ids, rows;
    for (const SparseRows& part : entry.parameter->grad().sparse()) {
      ids.push_back(part.ids);
      rows.push_back(part.rows);
    }
    if (ids.empty()) {
      const Tensor& value = entry.parameter->value();
      gradients.push_back(
          {empty({0}, DType::kInt32, value.device()), empty({0, value.shape()[1]}, DType::kFloat32, value.device())});
    } else {
      gradients.push_back(coalesce({join(ids), join(rows)}));
    }
  }
  return gradients;
}

void FlatParameters::copy_is_fresh() const {
  if (!copy.defined()) return;
  for (const Parameter* parameter : dense) parameter->copy_is_fresh();
}

void FlatParameters::clear_gradients(bool cleared) const {
  for (Parameter* parameter : dense) parameter->grad().clear(cleared);
  for (const SparseParameter& entry : sparse) entry.parameter->grad().clear();
}

}  // namespace tk
