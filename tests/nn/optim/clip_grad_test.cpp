#include "nn/optim/clip_grad.h"

#include "autograd/ops/reduce.h"
#include "nn/linear.h"
#include "nn/optim/sgd.h"
#include "tests/nn/optim/states.h"
#include "tests/support/catch.h"

using namespace tk;
using namespace tk::test;

TEST_CASE("clipping: the gradient's norm is written to the state and scales the update") {
  Linear linear(2, 1, true, Init::kZeros);
  ParameterList list;
  linear.collect(list, "linear");
  Sgd optimizer(list);
  const Tensor state = state_at(1, 1, 0, 1);
  sum(linear(Variable(from_values(std::vector<float>{2, 2}, {1, 2})))).backward();
  optimizer.step(state);
  CHECK(step_state(state).grad_norm == Approx(3.0));  // weights 2, 2 and bias 1
  CHECK(linear.weight.value().to_vector<float>()[0] == Approx(-2.0 / 3).epsilon(1e-5));
}
