#include "autograd/variable.h"

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
