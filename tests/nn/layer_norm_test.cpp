#include "nn/layer_norm.h"

#include "tests/support/catch.h"

using namespace tk;

TEST_CASE("layer norm: at the start rows get mean 0 and deviation 1, and nothing of it decays") {
  const LayerNorm norm(4, 1e-12);
  const std::vector<float> y = norm(Variable(from_values<float>({1, 3, 1, 3}, {1, 4}))).value().to_vector<float>();
  for (std::size_t i = 0; i < 4; ++i) CHECK(y[i] == Approx(i % 2 == 0 ? -1 : 1));
  CHECK_FALSE(norm.weight.decay());
  CHECK_FALSE(norm.bias.decay());
}

TEST_CASE("layer norm: epsilon keeps a constant row finite") {
  const LayerNorm norm(2, 1e-5);
  CHECK(norm(Variable(from_values<float>({7, 7}, {1, 2}))).value().to_vector<float>() == std::vector<float>{0, 0});
}
