#include "autograd/ops/to.h"

#include "tests/support/catch.h"
#include "tests/support/tensors.h"

using namespace tk;
using namespace tk::test;

TEST_CASE("to: a parameter's bfloat16 copy, made float32 again, sends its gradient to the parameter") {
  const Variable parameter(random_normal({2, 3}, 1), true);
  const Tensor dy = random_normal({2, 3}, 2);
  to(Variable(parameter.value().to(DType::kBFloat16), parameter.node()), DType::kFloat32).backward(dy);
  CHECK(same_bits(parameter.grad(), dy));
}
