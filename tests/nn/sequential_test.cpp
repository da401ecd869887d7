#include "nn/sequential.h"

#include "autograd/ops/reduce.h"
#include "autograd/ops/shape.h"
#include "nn/linear.h"
#include "tests/support/catch.h"
#include "tests/support/tensors.h"

using namespace tk;
using namespace tk::test;

TEST_CASE("sequential: layers follow one another, and parameters are named by their place") {
  Linear first(2, 3), second(3, 1, false);
  Sequential net(
      first, UnaryOp::kTanh, [](const Variable& x) { return x * 2; }, second);
  const Variable x(random_normal({4, 2}, 1));
  CHECK(same_bits(net(x).value(), second(tanh(first(x)) * 2).value()));
  std::vector<std::string> names;
  for (const NamedTensor& named : named_values(net.parameters())) names.push_back(named.name);
  CHECK(names == std::vector<std::string>{"0.weight", "0.bias", "3.weight"});
  ParameterList inside;
  net.collect(inside, "net");
  CHECK(inside.back().names == std::vector<std::string>{"net.3.weight"});
}

TEST_CASE("sequential: one inside another, and copies, share the layers") {
  Sequential inner(Linear(2, 2));
  Sequential outer(inner, UnaryOp::kRelu);
  CHECK(outer.parameters().front().names == std::vector<std::string>{"0.0.weight"});
  CHECK(outer.parameters().front().parameter == inner.parameters().front().parameter);
  sum(outer(Variable(ones({1, 2})))).backward();
  CHECK(inner.parameters().front().parameter->grad().filled());
}

TEST_CASE("parameters_of: modules are numbered as they come") {
  Linear a(1, 1), b(1, 1, false);
  Sequential net(Linear(1, 1, false));
  std::vector<std::string> names;
  for (const NamedParameter& named : parameters_of(a, b, net)) names.push_back(named.names.front());
  CHECK(names == std::vector<std::string>{"0.weight", "0.bias", "1.weight", "2.0.weight"});
}
