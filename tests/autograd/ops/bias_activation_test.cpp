#include "autograd/ops/bias_activation.h"

#include "autograd/ops/elementwise.h"
#include "tests/autograd/packed_rows.h"
#include "tests/support/activations.h"
#include "tests/support/catch.h"
#include "tests/support/passes.h"

using namespace tk;
using namespace tk::test;

TEST_CASE("bias_activation: equals the activation of the sum") {
  const Tensors inputs = {normal({9, 17}, 1), normal({17}, 2)};
  for (const ActivationCase& each : kEveryActivation) {
    INFO(name(each.op));
    CHECK(difference(run([&](const Variables& x) { return bias_activation(x[0], x[1], each.activation); }, inputs),
                     run([&](const Variables& x) { return unary(each.op, x[0] + x[1]); }, inputs),
                     kSameInFloat64) == "");
  }
}
