#include "autograd/variable.h"

#include "autograd/ops/elementwise.h"
#include "autograd/ops/reduce.h"
#include "tensor/ops/elementwise.h"
#include "tests/autograd/leaves.h"
#include "tests/support/catch.h"
#include "tests/support/devices.h"
#include "tests/support/tensors.h"

using namespace tk;
using namespace tk::test;

namespace {

Tensors nothing(const Tensor&) { return {}; }

}  // namespace

TEST_CASE("variable: only floats take gradients") {
  CHECK(message_of([] { Variable(arange(3), true); }) == "Variable: only floats take gradients, got int32");
}

TEST_CASE("record: inputs under names come in the order of their names, whatever that of the list") {
  enum : std::size_t { kX, kY };
  const Variable x = leaf({1}), y = leaf({2});
  const Variable sum =
      record("weighted", affine(x.value(), 1), {{kY, y}, {kX, x}}, [](const Tensor& dy, Destinations& to) {
        to.add_if_wanted(kX, affine(dy, 10));
        to.add_if_wanted(kY, affine(dy, 20));
      });
  sum.backward();
  CHECK(grad(x) == Values{10});
  CHECK(grad(y) == Values{20});
}

TEST_CASE("record: a name that comes twice, or has no place, is refused") {
  const Variable x = leaf({1});
  CHECK(message_of([&] {
          record("twice", x.value(), {{0, x}, {0, x}}, nothing);
        }) == "record: input 0 of 2 is none, or comes twice");
  CHECK(message_of([&] {
          record("gap", x.value(), {{0, x}, {2, x}}, nothing);
        }) == "record: input 2 of 2 is none, or comes twice");
}

TEST_CASE("cuda record: a gradient on another device than its input is refused") {
  if (!has_cuda()) return;
  const Variable x = leaf({1});
  const Variable y =
      record("astray", x.value(), {x}, [](const Tensor& dy) -> Tensors { return {dy.to(Device::kCuda)}; });
  CHECK(message_of([&] { y.backward(); }) == "backward of astray: gradient of input 0 lies on cuda, expected cpu");
}

namespace {

// Two values of one op, x and 2 x.
Variables once_and_twice(const Variable& x, int& walks) {
  const Tensors values = {affine(x.value(), 1), affine(x.value(), 2)};
  return record_values("once_and_twice", values, std::span(&x, 1), [&walks](const Tensors& dys, Destinations& to) {
    ++walks;
    to.add_if_wanted(0, dys.at(0));
    if (dys.at(1).defined()) to.add(0, affine(dys[1], 2));
  });
}

}  // namespace

TEST_CASE("record_values: an op of two values goes back once, with the gradient of each") {
  const Variable x = leaf({1, 2});
  int walks = 0;
  const Variables y = once_and_twice(x, walks);
  sum(y[0] * 10.0 + y[1] * y[0]).backward();  // 10 x + 2 x^2
  CHECK(walks == 1);
  CHECK(grad(x) == Values{14, 18});
}

TEST_CASE("record_values: a value that nobody reads has no gradient") {
  const Variable x = leaf({1, 2});
  int walks = 0;
  sum(once_and_twice(x, walks)[0] * 3.0).backward();
  CHECK(grad(x) == Values{3, 3});
  x.zero_grad();
  sum(once_and_twice(x, walks)[1] * 3.0).backward();
  CHECK(grad(x) == Values{6, 6});
}

TEST_CASE("record_values: a second walk over a kept graph does not see the gradients of the first") {
  const Variable x = leaf({1, 2});
  int walks = 0;
  const Variables y = once_and_twice(x, walks);
  const Variable both = sum(y[0] + y[1]), one = sum(y[0]);
  both.backward(true);
  CHECK(grad(x) == Values{3, 3});
  x.zero_grad();
  one.backward(true);
  CHECK(grad(x) == Values{1, 1});
}

TEST_CASE("record_values: nothing is recorded where no input takes a gradient") {
  int walks = 0;
  for (const Variable& y : once_and_twice(Variable(full({2}, 1)), walks)) CHECK_FALSE(y.requires_grad());
}

TEST_CASE("record_values: a walk that fails leaves no gradient of a value behind") {
  const Variable x = leaf({1, 2});
  int walks = 0;
  const Variables y = once_and_twice(x, walks);
  const Variable between = y[0] * 1.0;
  const Variable bad =
      record("bad", affine(between.value(), 1), {between}, [](const Tensor&) -> Tensors { throw Error("no"); });
  const Variable after = y[1] * 1.0;  // goes back before `bad` does
  CHECK_THROWS_AS((sum(bad + after)).backward(true), Error);
  x.zero_grad();
  sum(y[0]).backward(true);
  CHECK(grad(x) == Values{1, 1});
}
