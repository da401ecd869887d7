#include "nn/optim/sgd.h"

#include "autograd/ops/reduce.h"
#include "nn/linear.h"
#include "tests/nn/optim/states.h"
#include "tests/support/catch.h"

using namespace tk;
using namespace tk::test;

TEST_CASE("sgd: momentum gathers earlier gradients") {
  Linear linear(1, 1);
  ParameterList list;
  linear.collect(list, "linear");
  Sgd optimizer(list, 0.5);
  for (int step = 1; step <= 2; ++step) {
    sum(linear(Variable(full({1, 1}, 1.0)))).backward();
    optimizer.step(state_at(step, 1, 0, 0));
  }
  CHECK(linear.weight.value().to_vector<float>()[0] == Approx(-2.5));  // 1, then 0.5 + 1
}
