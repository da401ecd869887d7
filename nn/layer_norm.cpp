#include "nn/layer_norm.h"

#include "autograd/ops/layer_norm.h"

namespace tk {

LayerNorm::LayerNorm(std::int64_t dim, double epsilon) : weight({dim}, false), bias({dim}, false), epsilon(epsilon) {
  weight.value().fill(1);
}

Variable LayerNorm::operator()(const Variable& x) const { return layer_norm(x, weight, bias, epsilon); }

ResidualNorm LayerNorm::of_residual(const Parameter& branch_bias) const {
  return {.bias = branch_bias.value(), .gamma = weight.value(), .beta = bias.value(), .epsilon = epsilon};
}

void LayerNorm::collect(ParameterList& list, const std::string& path) {
  list.push_back({{path + ".weight"}, &weight});
  list.push_back({{path + ".bias"}, &bias});
}

}  // namespace tk
