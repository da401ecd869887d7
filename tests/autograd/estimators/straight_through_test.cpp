#include "autograd/estimators/straight_through.h"

#include "autograd/ops/elementwise.h"
#include "autograd/ops/reduce.h"
#include "tests/autograd/leaves.h"
#include "tests/support/catch.h"
#include "tests/support/tensors.h"

using namespace tk;
using namespace tk::test;

TEST_CASE("straight_through: has the hard value, and the soft one's gradient") {
  const Variable x = leaf({1, 2});
  const Variable y = straight_through(from_values<float>({0, 1}), x * 3.0);
  CHECK(y.value().to_vector<float>() == Values{0, 1});
  sum(y).backward();
  CHECK(grad(x) == Values{3, 3});
}

TEST_CASE("straight_through: hard and soft must be alike") {
  CHECK(message_of([] {
          straight_through(zeros({3}), leaf({1, 2}));
        }) == "straight_through: expected hard values of float32 [2], got float32 [3]");
}
