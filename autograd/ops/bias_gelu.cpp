#include "autograd/ops/bias_gelu.h"

#include "tensor/ops/bias_gelu.h"

namespace tk {

Variable bias_gelu(const Variable& x, const Variable& bias) {
  enum : std::size_t { kX, kBias };
  Node::Recipe again;  // on the CPU memory is cheaper than the time, 3 % of a step
  if (x.device() == Device::kCuda && !x.has_recipe()) {
    again = [x = Saved(x), bias = Saved(bias)] { return bias_gelu(x.get(), bias.get()); };
  }
  return record("bias_gelu", {bias_gelu(x.value(), bias.value()), again}, {{kX, x}, {kBias, bias}},
                [x = Saved(x), bias = Saved(bias)](const Tensor& dy, Destinations& to) {
                  to.add_if_wanted(kX, bias_gelu_backward(dy, x, bias, to.target_if_wanted(kBias)));
                });
}

}  // namespace tk
