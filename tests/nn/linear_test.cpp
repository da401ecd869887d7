#include "nn/linear.h"

#include "tests/support/catch.h"

using namespace tk;

TEST_CASE("linear: is x W^T + b, and without the bias x W^T") {
  Linear linear(2, 3, true, Init::kZeros);
  linear.weight.value().copy_from(from_values<float>({1, 2, 3, 4, 5, 6}, {3, 2}));
  linear.bias.value().copy_from(from_values<float>({10, 20, 30}));
  const Variable x(from_values<float>({1, -1}, {1, 2}));
  CHECK(linear(x).value().to_vector<float>() == std::vector<float>{9, 19, 29});
  CHECK(linear.without_bias(x).value().to_vector<float>() == std::vector<float>{-1, -1, -1});
}

TEST_CASE("linear: weights decay, biases do not") {
  const Linear linear(2, 3, true, Init::kZeros);
  CHECK(linear.weight.decay());
  CHECK_FALSE(linear.bias.decay());
}

TEST_CASE("linear: takes any number of dimensions, and does without a bias") {
  Linear linear(2, 3, false);
  CHECK_FALSE(linear.bias.defined());
  const Variable x(from_values<float>({1, 2, 3, 4, 5, 6, 7, 8}, {2, 2, 2}));
  const Variable y = linear(x);
  CHECK(y.shape() == Shape{2, 2, 3});
  CHECK(y[1].value().to_vector<float>() == linear(x[1]).value().to_vector<float>());
  ParameterList list;
  linear.collect(list, "linear");
  CHECK(list.size() == 1);
}
