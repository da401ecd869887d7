#include "nn/rms_norm.h"

#include "autograd/ops/elementwise.h"
#include "autograd/ops/reduce.h"

namespace tk {

RmsNorm::RmsNorm(std::int64_t dim, double epsilon) : weight({dim}, false), epsilon(epsilon) { weight.value().fill(1); }

Variable RmsNorm::operator()(const Variable& x) const {
  return x * rsqrt(mean(square(x), -1, true) + epsilon) * weight.as(x.dtype());
}

void RmsNorm::collect(ParameterList& list, const std::string& path) { list.push_back({{path + ".weight"}, &weight}); }

}  // namespace tk
