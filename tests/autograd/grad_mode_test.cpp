#include "autograd/grad_mode.h"

#include "autograd/ops/elementwise.h"
#include "tests/autograd/leaves.h"
#include "tests/support/catch.h"

using namespace tk;
using namespace tk::test;

TEST_CASE("no grad: nothing is recorded in its scope, nor after an error in it") {
  const Variable x = leaf({1, 2});
  {
    const NoGrad outer;
    { const NoGrad inner; }
    CHECK_FALSE(grad_enabled());
    CHECK_FALSE((x * x).requires_grad());
  }
  CHECK(grad_enabled());
  CHECK_THROWS(([] {
    const NoGrad scope;
    throw Error("left early");
  }()));
  CHECK(grad_enabled());
  CHECK((x * x).requires_grad());
}
