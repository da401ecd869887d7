#include "autograd/ops/shape.h"

#include <functional>

#include "tests/support/catch.h"
#include "tests/support/tensors.h"

using namespace tk;
using namespace tk::test;

namespace {

using View = std::function<Variable(const Variable&)>;

struct Case {
  const char* name;
  View view;
};

const std::vector<Case>& views() {
  static const std::vector<Case> all = {
      {"reshape",
       [](const Variable& x) {
         return reshape(x, {3, 2});
       }},
      {"transpose", [](const Variable& x) { return transpose(x, 0, 1); }},
      {"narrow", [](const Variable& x) { return narrow(x, 0, 1, 1); }},
      {"narrow in columns", [](const Variable& x) { return narrow(x, 1, 1, 2); }},
      {"expand",
       [](const Variable& x) {
         return expand(x, {4, 2, 3});
       }},
      {"a view of views", [](const Variable& x) { return reshape(narrow(transpose(x, 0, 1), 0, 1, 2), {4}); }}};
  return all;
}

Variable bfloat16_copy(const Variable& x) { return Variable(x.value().to(DType::kBFloat16), x.node()); }

}  // namespace

TEST_CASE("views: of a parameter's bfloat16 copy have the parameter's float32 gradient, to the bit") {
  const Tensor value = random_normal({2, 3}, 1);
  for (const Case& c : views()) {
    INFO(c.name);
    const Variable plain(value, true), parameter(value, true);
    const Variable expected = c.view(plain);
    const Variable got = c.view(bfloat16_copy(parameter));
    CHECK(got.dtype() == DType::kBFloat16);
    CHECK(got.grad_dtype() == DType::kFloat32);
    const Tensor dy = random_normal(expected.shape(), 2);
    expected.backward(dy);
    got.backward(dy);
    CHECK(same_bits(parameter.grad(), plain.grad()));
  }
}

TEST_CASE("views: of a bfloat16 value that is no parameter's copy have a bfloat16 gradient") {
  for (const Case& c : views())
    CHECK(c.view(Variable(zeros({2, 3}, DType::kBFloat16), true)).grad_dtype() == DType::kBFloat16);
}

TEST_CASE("backward: the upstream gradient of a view of a bfloat16 copy is float32") {
  const Variable parameter(zeros({2}), true);
  CHECK(message_of([&] {
          reshape(bfloat16_copy(parameter), {2, 1}).backward(zeros({2, 1}, DType::kBFloat16));
        }) == "backward: expected a gradient of float32 [2, 1], got bfloat16 [2, 1]");
}
