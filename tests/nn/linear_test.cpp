#include "nn/linear.h"

#include "autograd/grad_mode.h"
#include "nn/optim/sgd.h"
#include "tensor/ops/matmul.h"
#include "tests/support/catch.h"
#include "tests/support/tensors.h"

using namespace tk;
using namespace tk::test;

TEST_CASE("linear: is x W^T + b, and without the bias x W^T") {
  Linear linear(2, 3, true, Init::kZeros);
  linear.weight.value().copy_from(from_values<float>({1, 2, 3, 4, 5, 6}, {3, 2}));
  linear.bias.value().copy_from(from_values<float>({10, 20, 30}));
  const Variable x(from_values<float>({1, -1}, {1, 2}));
  CHECK(linear(x).value().to_vector<float>() == std::vector<float>{9, 19, 29});
  CHECK(linear.without_bias(x).value().to_vector<float>() == std::vector<float>{-1, -1, -1});
}

TEST_CASE("linear: without a graph it has the bits of one that is recorded, whole and in columns, after a write too") {
  Linear linear(70, 90);
  const Variable x(random_normal({33, 70}, 1));
  const auto check = [&] {
    const Tensor whole = linear(x).value(), bare = linear.without_bias(x).value();
    const Tensor some = linear.columns(x, 30, 50).value();
    CHECK(same_bits(some, whole.narrow(1, 30, 50).contiguous()));
    const NoGrad no_grad;
    for (int turn = 0; turn < 2; ++turn) {
      CHECK(same_bits(linear(x).value(), whole));
      CHECK(same_bits(linear.without_bias(x).value(), bare));
      CHECK(same_bits(linear.columns(x, 30, 50).value(), some));
    }
  };
  check();
  linear.weight.value().copy_from(random_normal({90, 70}, 2));
  check();
  linear.weight = Parameter({90, 70});
  check();
  const Linear copy = linear;
  copy.weight.value().copy_from(random_normal({90, 70}, 3));
  check();
}

TEST_CASE("linear: a weight that an optimizer keeps is packed for each product, and read as it is") {
  Linear linear(8, 40);
  ParameterList list;
  linear.collect(list, "linear");
  const Variable x(random_normal({5, 8}, 1));
  const NoGrad no_grad;
  const Tensor before = linear(x).value();
  Sgd sgd(list);
  CHECK(same_bits(linear(x).value(), before));
  linear.weight.value().fill(0);
  linear.bias.value().fill(2);
  CHECK(linear(x).value().to_vector<float>() == std::vector<float>(200, 2));
}

TEST_CASE("linear: an int8 weight is that of quantize_rows, whole, in columns and activated, and has no backward") {
  Linear linear(70, 90);
  linear.bias.value().copy_from(random_normal({90}, 4));
  const PackedInt8Weight all(quantize_rows(linear.weight.value()));
  linear.weight.quantize();
  linear.weight.quantize();  // as it is
  const NoGrad no_grad;
  const Variable x(random_normal({33, 70}, 1));
  const Tensor whole = tk::linear(x.value(), all, linear.bias.value());
  for (int turn = 0; turn < 2; ++turn) {
    CHECK(same_bits(linear(x).value(), whole));
    CHECK(same_bits(linear.without_bias(x).value(), tk::linear(x.value(), all, Tensor())));
    CHECK(same_bits(linear.columns(x, 30, 50).value(), whole.narrow(1, 30, 50).contiguous()));
    CHECK(same_bits(linear.activated(x, Activation::kGelu).value(),
                    tk::linear(x.value(), all, linear.bias.value(), Activation::kGelu)));
  }
  CHECK_THROWS_WITH(linear(Variable(x.value(), true)), ContainsSubstring("int8, which has no backward"));
  CHECK_THROWS_WITH(linear.weight.set_trainable(true), ContainsSubstring("an int8 weight, of shape [90, 70]"));
}

TEST_CASE("linear: one made of int8 zeros takes the values that are written to it") {
  Linear linear(6, 4, true, Init::kInt8Zeros);
  const QuantizedRows w = quantize_rows(random_normal({4, 6}, 1));
  const Variable x(random_normal({3, 6}, 2));
  const NoGrad no_grad;
  CHECK(linear(x).value().to_vector<float>() == std::vector<float>(12, 0));
  ParameterList list;
  linear.collect(list, "linear");
  const std::vector<NamedTensor> values = named_values(list);
  REQUIRE(values.size() == 3);
  CHECK(values[1].name == "linear.weight_scale");
  values[0].tensor.copy_from(w.values);
  values[1].tensor.copy_from(w.scale);
  CHECK(same_bits(linear(x).value(), tk::linear(x.value(), PackedInt8Weight(w), Tensor())));
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
