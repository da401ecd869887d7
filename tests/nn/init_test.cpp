#include "nn/init.h"

#include <cmath>

#include "nn/conv2d.h"
#include "nn/embedding.h"
#include "nn/gru.h"
#include "nn/linear.h"
#include "tensor/ops/elementwise.h"
#include "tensor/ops/reduce.h"
#include "tests/support/catch.h"
#include "tests/support/tensors.h"

using namespace tk;
using namespace tk::test;

namespace {

// Uniform in (-bound, bound): nothing outside, something near both ends, and the deviation bound / sqrt(3).
void check_uniform(const Tensor& x, double bound) {
  CHECK(max(abs(x)).item() <= bound);
  CHECK(max(x).item() > 0.9 * bound);
  CHECK(min(x).item() < -0.9 * bound);
  CHECK(std::sqrt(var(x).item()) == Approx(bound / std::sqrt(3.0)).epsilon(0.1));
}

}  // namespace

TEST_CASE("init: modules begin as PyTorch's do") {
  manual_seed(1);
  const Linear linear(25, 100);
  check_uniform(linear.weight.value(), 0.2);
  check_uniform(linear.bias.value(), 0.2);
  check_uniform(Conv2d(4, 50, 5).weight.value(), 0.1);
  check_uniform(Gru(10, 100).weight_hh.value(), 0.1);
  const Tensor table = Embedding(100, 100).weight.value();
  CHECK(mean(table).item() == Approx(0).margin(0.03));
  CHECK(std::sqrt(var(table).item()) == Approx(1).epsilon(0.03));
}

TEST_CASE("init: the seed names the numbers, and no two parameters have the same ones") {
  manual_seed(7);
  const Linear a(5, 5), b(5, 5);
  CHECK_FALSE(same_bits(a.weight.value(), b.weight.value()));
  manual_seed(7);
  const Linear again(5, 5);
  CHECK(same_bits(again.weight.value(), a.weight.value()));
  CHECK(same_bits(again.bias.value(), a.bias.value()));
  manual_seed(8);
  CHECK_FALSE(same_bits(Linear(5, 5).weight.value(), a.weight.value()));
}

TEST_CASE("init: zeros draw nothing") {
  manual_seed(7);
  CHECK(max(abs(Linear(5, 5, true, Init::kZeros).weight.value())).item() == 0);
  CHECK(max(abs(Embedding(5, 5, false, Init::kZeros).weight.value())).item() == 0);
  const Linear first(5, 5);
  manual_seed(7);
  CHECK(same_bits(Linear(5, 5).weight.value(), first.weight.value()));
}
