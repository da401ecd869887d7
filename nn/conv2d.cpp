#include "nn/conv2d.h"

#include <cmath>

#include "nn/init.h"

namespace tk {

Conv2d::Conv2d(std::int64_t in, std::int64_t out, std::int64_t kernel, const ConvOptions& options)
    : weight({out, in, kernel, kernel}), bias({out}, false), options(options) {
  const double bound = 1 / std::sqrt(static_cast<double>(in * kernel * kernel));
  init_uniform(weight.value(), bound);
  init_uniform(bias.value(), bound);
}

Variable Conv2d::operator()(const Variable& x) const {
  return conv2d(x, weight.as(x.dtype()), bias.as(x.dtype()), options);
}

void Conv2d::collect(ParameterList& list, const std::string& path) {
  list.push_back({{path + ".weight"}, &weight});
  list.push_back({{path + ".bias"}, &bias});
}

}  // namespace tk
