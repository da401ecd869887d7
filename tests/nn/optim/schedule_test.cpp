#include "nn/optim/schedule.h"

#include "tests/support/catch.h"

using namespace tk;

TEST_CASE("linear schedule: warms up from zero and decays to zero, as transformers' does") {
  CHECK(linear_schedule(0, 2, 10) == 0.0);
  CHECK(linear_schedule(1, 2, 10) == 0.5);
  CHECK(linear_schedule(2, 2, 10) == 1.0);
  CHECK(linear_schedule(6, 2, 10) == 0.5);
  CHECK(linear_schedule(10, 2, 10) == 0.0);
  CHECK(linear_schedule(0, 0, 10) == 1.0);
}

TEST_CASE("budget schedule: falls from one to the target over the ramp, then stays") {
  CHECK(budget_schedule(0, 40, 0.5) == 1.0);
  CHECK(budget_schedule(20, 40, 0.5) == 0.75);
  CHECK(budget_schedule(40, 40, 0.5) == 0.5);
  CHECK(budget_schedule(99, 40, 0.5) == 0.5);
}

TEST_CASE("gate noise schedule: fades to nothing by nine tenths of the steps, or stays") {
  CHECK(gate_noise_schedule(0, 100, 0.4) == 1.0);
  CHECK(gate_noise_schedule(50, 100, 0.4) == 1.0);
  CHECK(gate_noise_schedule(70, 100, 0.4) == Approx(0.5));
  CHECK(gate_noise_schedule(90, 100, 0.4) == 0.0);
  CHECK(gate_noise_schedule(99, 100, 0.4) == 0.0);
  CHECK(gate_noise_schedule(99, 100, 0) == 1.0);
}
