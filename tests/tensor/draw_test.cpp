#include <cmath>

#include "tensor/ops/elementwise.h"
#include "tensor/ops/mask.h"
#include "tensor/ops/random.h"
#include "tensor/ops/reduce.h"
#include "tests/support/catch.h"
#include "tests/support/devices.h"
#include "tests/support/tensors.h"

using namespace tk;
using namespace tk::test;

TEST_CASE("random numbers: their name says which they are") {
  const Shape shape{7, 33};
  const Tensor x = rand(shape, {.seed = 1, .step = 2});
  CHECK(same_bits(x, rand(shape, {.seed = 1, .step = 2})));
  CHECK_FALSE(same_bits(x, rand(shape, {.seed = 1, .step = 3})));
  CHECK_FALSE(same_bits(x, rand(shape, {.seed = 2, .step = 2})));
  CHECK_FALSE(same_bits(x, rand(shape, {.seed = 1, .step = 2, .stream = {Purpose::kUser, 1}})));
  CHECK(same_bits(x, rand(shape, {.state = make_step_state({.seed = 1, .step = 2})})));
  const ThreadCount one(1);
  CHECK(same_bits(x, rand(shape, {.seed = 1, .step = 2})));
}

TEST_CASE("random numbers: have the moments of their distributions") {
  const std::int64_t n = 200000;
  const auto check = [](const Tensor& x, double expected_mean, double expected_variance) {
    CHECK(mean(x).item() == Approx(expected_mean).margin(5 * std::sqrt(expected_variance / n)));
    CHECK(var(x).item() == Approx(expected_variance).epsilon(0.03));
  };
  for (const Shape& shape : std::vector<Shape>{{n}, {n / 4, 4}, {n / 100, 2, 50}}) {
    check(rand(shape, {.seed = 1}), 0.5, 1 / 12.0);
    check(randn(shape, {.seed = 2}), 0, 1);
    check(gumbel_noise(shape, {.seed = 3}), 0.5772156649, M_PI * M_PI / 6);
    check(logistic_noise(shape, {.seed = 4}), 0, M_PI * M_PI / 3);
  }
  CHECK(mean(square(square(randn({n}, {.seed = 2})))).item() == Approx(3).epsilon(0.05));
  CHECK(min(rand({n}, {.seed = 1})).item() > 0);
  CHECK(max(rand({n}, {.seed = 1})).item() < 1);
  CHECK(rand({}, {}).shape() == Shape{});
  CHECK(randn({3, 0}, {}).shape() == Shape{3, 0});
}

TEST_CASE("multinomial: classes come as their weights say, none without one") {
  const Tensor weights = from_values<float>({1, 0, 3, 6});
  const Tensor drawn = multinomial(weights, 100000, {.seed = 1});
  const std::vector<float> shares = mean(one_hot(drawn, 4), 0).to_vector<float>();
  for (std::size_t c = 0; c < 4; ++c) {
    CHECK(shares[c] == Approx(weights[static_cast<std::int64_t>(c)].item() / 10).margin(0.01));
  }
  CHECK(shares[1] == 0);
  CHECK(multinomial(weights.expand({5, 4}), 7, {.seed = 1}).shape() == Shape{5, 7});
}

TEST_CASE("multinomial: distinct classes come once, the first of them as their weights say") {
  const Tensor weights = from_values<float>({1, 0, 3, 6}).expand({50000, 4}).contiguous();
  const Tensor drawn = multinomial(weights, 3, {.seed = 1}, true);
  const Tensor counts = sum(one_hot(drawn, 4), 1);
  CHECK(max(counts).item() == 1);
  CHECK(sum(counts, 0).to_vector<float>() == std::vector<float>{50000, 0, 50000, 50000});
  const Tensor first = mean(one_hot(drawn.select(1, 0), 4), 0);
  CHECK(first.to_vector<float>()[3] == Approx(0.6).margin(0.015));
  CHECK(message_of([&] { multinomial(weights, 5, {}, true); }) ==
        "multinomial: 5 distinct of 4 classes cannot be drawn");
}

TEST_CASE("cuda: named random numbers are the CPU's") {
  if (!has_cuda()) return;
  const Shape shape{5, 37};
  CHECK(same_bits(rand(shape, {.seed = 3}, DType::kFloat32, Device::kCuda), rand(shape, {.seed = 3})));
  CHECK(difference(randn(shape, {.seed = 3}, DType::kFloat32, Device::kCuda), randn(shape, {.seed = 3}), kFloat32) ==
        "");
}
