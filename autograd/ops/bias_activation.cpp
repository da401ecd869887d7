#include "autograd/ops/bias_activation.h"

#include "tensor/ops/bias_activation.h"

namespace tk {

Variable bias_activation(const Variable& x, const Variable& bias, Activation activation) {
  enum : std::size_t { kX, kBias };
  Node::Recipe again;  // on the CPU memory is cheaper than the time, 3 % of a step
  if (x.device() == Device::kCuda && !x.has_recipe()) {
    again = [x = Saved(x), bias = Saved(bias), activation] { return bias_activation(x.get(), bias.get(), activation); };
  }
  return record("bias_activation", {bias_activation(x.value(), bias.value(), activation), again},
                {{kX, x}, {kBias, bias}},
                [x = Saved(x), bias = Saved(bias), activation](const Tensor& dy, Destinations& to) {
                  to.add_if_wanted(kX, bias_activation_backward(dy, x, bias, activation, to.target_beside(kBias)));
                });
}

}  // namespace tk
