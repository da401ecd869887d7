#include "autograd/estimators/rebar.h"

#include "autograd/ops/elementwise.h"
#include "tensor/ops/elementwise.h"

namespace tk {

Variable rebar(const Cost& cost, const Variable& logits, const Draws& draws, double temperature, double weight) {
  check_nodes("rebar", logits.value());
  TK_CHECK(temperature > 0, "rebar: expected a temperature above 0, got ", temperature);
  const Tensor noise = choice_noise(logits.value(), draws, 0).front();
  const Tensor more = choice_noise(logits.value(), draws, 1).front();
  const Tensor choices = choose(logits.value(), noise);
  const Variable f = cost(Variable(choices));
  const Variable free = cost(relax(logits + Variable(noise), temperature));
  const Variable given = cost(relax(noisy_given_choices(logits, choices, more), temperature));
  const Variable difference = (free - given) * weight;
  const Tensor signal = sub(f.value(), affine(given.value(), weight));
  return f + (difference - difference.detach()) +
         with_gradient(logits, scale_rows(score(logits.value(), choices), signal));
}

}  // namespace tk
