// Least squares by gradient descent: y = 3 a - 2 b + 1, with noise.
#include <cmath>
#include <cstdio>

#include "nn/nn.h"

int main() {
  using namespace tk;
  const Tensor x = randn({256, 2}, {.seed = 1});
  const Tensor truth = from_values<float>({3, -2});
  const Tensor y = sum(x * truth, 1, true) + 1 + 0.1 * randn({256, 1}, {.seed = 2});

  Linear model(2, 1);
  Sgd sgd(parameters_of(model), {.learning_rate = 0.1});
  for (int step = 0; step < 200; ++step) {
    mse_loss(model(Variable(x)), y).backward();
    sgd.step();
  }
  const Tensor w = model.weight.value()[0];
  std::printf("y = %.2f a + %.2f b + %.2f\n", w[0].item(), w[1].item(), model.bias.value().item());
  return norm(w - truth).item() < 0.05 ? 0 : 1;
}
