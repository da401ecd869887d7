#include "nn/optim/sgd.h"

#include "autograd/ops/elementwise.h"
#include "autograd/ops/reduce.h"
#include "nn/linear.h"
#include "tests/nn/optim/states.h"
#include "tests/support/catch.h"
#include "tests/support/tensors.h"

using namespace tk;
using namespace tk::test;

TEST_CASE("sgd: momentum gathers earlier gradients") {
  Linear linear(1, 1, true, Init::kZeros);
  ParameterList list;
  linear.collect(list, "linear");
  Sgd optimizer(list, 0.5);
  for (int step = 1; step <= 2; ++step) {
    sum(linear(Variable(full({1, 1}, 1.0)))).backward();
    optimizer.step(state_at(step, 1, 0, 0));
  }
  CHECK(linear.weight.value().to_vector<float>()[0] == Approx(-2.5));  // 1, then 0.5 + 1
}

TEST_CASE("optimizers: with rates of their own they step without a state, and say when they have none") {
  Parameter w({1});
  Sgd own({{{"w"}, &w}}, {.learning_rate = 0.5, .max_grad_norm = 1});
  const auto step = [&] {
    sum(w * 3.0).backward();
    own.step();
    return w.value().item();
  };
  CHECK(step() == Approx(-0.5));  // 3, clipped to 1
  CHECK(own.grad_norm() == Approx(3));
  own.set_learning_rate(0.25);
  CHECK(step() == Approx(-0.75));
  own.set_rates({.learning_rate = 1});
  CHECK(step() == Approx(-3.75));
  CHECK(own.steps() == 3);
  Parameter v({1});
  Sgd none({{{"v"}, &v}});
  CHECK(message_of([&] { none.step(); }) == "sgd: it has no rates of its own: give it some, or step(state)");
  CHECK(message_of([&] { none.set_learning_rate(1); }) ==
        "sgd: it has no rates of its own: give it some, or step(state)");
  CHECK(message_of([&] { none.set_rates({}); }) == "sgd: the rates have no learning rate");
}
