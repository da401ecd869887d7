#include "nn/linear.h"

#include "autograd/ops/matmul.h"

namespace tk {

Variable Linear::operator()(const Variable& x) const { return linear(x, weight.as(x.dtype()), bias.as(x.dtype())); }

Variable Linear::without_bias(const Variable& x) const { return linear(x, weight.as(x.dtype()), Variable()); }

void Linear::collect(ParameterList& list, const std::string& path) {
  list.push_back({{path + ".weight"}, &weight});
  list.push_back({{path + ".bias"}, &bias});
}

}  // namespace tk
