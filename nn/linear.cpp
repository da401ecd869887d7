#include "nn/linear.h"

#include <cmath>

#include "autograd/ops/matmul.h"

namespace tk {

Linear::Linear(std::int64_t in, std::int64_t out, bool has_bias, Init init) : weight({out, in}) {
  if (has_bias) bias = Parameter({out}, false);
  if (init == Init::kZeros || in == 0) return;
  const double bound = 1 / std::sqrt(static_cast<double>(in));
  init_uniform(weight.value(), bound);
  if (has_bias) init_uniform(bias.value(), bound);
}

Variable Linear::operator()(const Variable& x) const {
  return linear(x, weight.as(x.dtype()), bias.defined() ? bias.as(x.dtype()) : Variable());
}

Variable Linear::without_bias(const Variable& x) const { return linear(x, weight.as(x.dtype()), Variable()); }

void Linear::collect(ParameterList& list, const std::string& path) {
  list.push_back({{path + ".weight"}, &weight});
  if (bias.defined()) list.push_back({{path + ".bias"}, &bias});
}

}  // namespace tk
