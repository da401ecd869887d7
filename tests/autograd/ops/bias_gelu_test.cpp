#include "autograd/ops/bias_gelu.h"

#include "autograd/ops/elementwise.h"
#include "tests/autograd/packed_rows.h"
#include "tests/support/catch.h"
#include "tests/support/passes.h"

using namespace tk;
using namespace tk::test;

TEST_CASE("bias_gelu: equals gelu of the sum") {
  const Tensors inputs = {normal({9, 17}, 1), normal({17}, 2)};
  CHECK(difference(run([](const Variables& x) { return bias_gelu(x[0], x[1]); }, inputs),
                   run([](const Variables& x) { return gelu(x[0] + x[1]); }, inputs), kSameInFloat64) == "");
}
