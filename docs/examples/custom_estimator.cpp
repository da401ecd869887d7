// A sign with a slope of its own, a triangle around 0: eight signs are learnt from sums that they make.
#include <cstdio>

#include "nn/nn.h"

using namespace tk;

Variable sign(const Variable& z) {
  const Tensor hard = where(z.value() > 0, ones(z.shape()), -1);
  return record("sign", hard, {z}, [z = Saved(z)](const Tensor& dy) -> Tensors {
    return {dy * relu(1 - abs(z.get()))};  // as if it had the slope max(0, 1 - |z|)
  });
}

int main() {
  const Tensor truth = from_values<float>({1, -1, -1, 1, 1, -1, 1, -1}).unsqueeze(1);
  Parameter z({8, 1});
  init_uniform(z.value(), 0.1);
  Adam adam({{{"z"}, &z}}, 0.01);
  for (int step = 1; step <= 300; ++step) {
    const Tensor x = randn({32, 8}, {.seed = 1, .step = step});
    mse_loss(matmul(Variable(x), sign(z)), matmul(x, truth)).backward();
    adam.step();
  }
  const double wrong = sum(ne(sign(z).value(), truth).to(DType::kFloat32)).item();
  std::printf("%.0f of 8 signs are wrong\n", wrong);
  return wrong == 0 ? 0 : 1;
}
