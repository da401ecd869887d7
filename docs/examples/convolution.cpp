// A small convolutional network that tells noisy horizontal bars from vertical ones.
#include <cstdio>

#include "nn/nn.h"

using namespace tk;

// n images [1, 8, 8] with a bar, the first half of them horizontal.
Tensor bars(std::int64_t n, std::uint64_t seed) {
  const Tensor place = one_hot(multinomial(ones({8}), n, {.seed = seed}), 8);
  const Tensor across = place.narrow(0, 0, n / 2).unsqueeze(2).expand({n / 2, 8, 8});
  const Tensor down = place.narrow(0, n / 2, n / 2).unsqueeze(1).expand({n / 2, 8, 8});
  return join({across, down}).unsqueeze(1) + 0.5 * randn({n, 1, 8, 8}, {.seed = seed + 1});
}

int main() {
  const std::int64_t n = 128;
  const Tensor labels = (arange(n) >= n / 2).to(DType::kInt64);
  Sequential net(
      Conv2d(1, 8, 3, {.padding = 1}), UnaryOp::kRelu, [](const Variable& x) { return max_pool2d(x, 2); },
      [](const Variable& x) {
        return reshape(x, {x.size(0), 8 * 4 * 4});
      },
      Linear(8 * 4 * 4, 2));
  Adam adam(net.parameters(), 0.01);
  for (int step = 1; step <= 60; ++step) {
    cross_entropy_loss(net(Variable(bars(n, 10 * step))), labels).backward();
    adam.step();
  }
  const double accuracy = mean(eq(argmax(net(Variable(bars(n, 1))).value(), 1), labels).to(DType::kFloat32)).item();
  std::printf("accuracy %.2f\n", accuracy);
  return accuracy > 0.9 ? 0 : 1;
}
