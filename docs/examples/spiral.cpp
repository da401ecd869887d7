// Three arms of a spiral, told apart by a network of two hidden layers.
#include <cstdio>
#include <numbers>

#include "nn/nn.h"

int main() {
  using namespace tk;
  const Tensor labels = arange(3, DType::kInt64).unsqueeze(1).expand({3, 100}).reshape({300});
  const Tensor radius = (arange(100).to(DType::kFloat32) / 100.0).expand({3, 100}).reshape({300});
  const Tensor angle = 4 * radius + labels.to(DType::kFloat32) * (2 * std::numbers::pi / 3) + 0.1 * randn({300}, {});
  const Variable x(stack({radius * cos(angle), radius * sin(angle)}, 1));

  Sequential net(Linear(2, 32), UnaryOp::kTanh, Linear(32, 32), UnaryOp::kTanh, Linear(32, 3));
  Adam adam(net.parameters(), 0.02);
  for (int step = 0; step < 300; ++step) {
    cross_entropy_loss(net(x), labels).backward();
    adam.step();
  }
  const double accuracy = mean(eq(argmax(net(x).value(), 1), labels).to(DType::kFloat32)).item();
  std::printf("accuracy %.2f\n", accuracy);
  return accuracy > 0.95 ? 0 : 1;
}
