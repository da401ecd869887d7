#include "autograd/estimators/disarm.h"

#include "autograd/ops/elementwise.h"
#include "tensor/ops/elementwise.h"

namespace tk {

Variable disarm(const Cost& cost, const Variable& z, const Draws& draws) {
  check_nodes("disarm", z.value(), true);
  const Tensor noise = choice_noise(z.value(), draws, 0).front();
  const Tensor b = choose(z.value(), noise), opposite = choose(z.value(), neg(noise));
  const Variable f = cost(Variable(b)), f_opposite = cost(Variable(opposite));
  const Tensor difference = affine(sub(f.value(), f_opposite.value()), 0.5);
  const Tensor direction = mul(sub(b, opposite), sigmoid(abs(z.value())));
  return (f + f_opposite) * 0.5 + with_gradient(z, scale_rows(direction, difference));
}

}  // namespace tk
