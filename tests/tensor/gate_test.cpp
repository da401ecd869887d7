#include "tensor/ops/gate.h"

#include <cmath>
#include <limits>

#include "tensor/gate_math.h"
#include "tensor/step_state.h"
#include "tests/support/catch.h"
#include "tests/support/devices.h"
#include "tests/support/tensors.h"

using namespace tk;
using namespace tk::test;

namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

// NaN lies where expected, and elsewhere 0 or 1.
void check_nan(Device device) {
  const Tensor x = from_values<float>({1, 3, 3, 2, 1, kNan, 5, kNan, kNan, 1, 2, 3}, {3, 4}).to(device);
  CHECK(difference(one_hot_of_largest(x), from_values<float>({0, 1, 0, 0, 0, kNan, 0, 0, kNan, 0, 0, 0}, {3, 4}),
                   {0, 0}) == "");
  const Tensor z = from_values<float>({2, kNan, -2, 0, 1}).to(device);
  const Tensor noise = from_values<float>({0, 0, 0, 0, kNan}).to(device);
  const GateOutput out = hard_gate(z, noise, make_step_state({}, device));
  CHECK(difference(out.hard, from_values<float>({1, kNan, 0, 0, kNan}), {0, 0}) == "");
  CHECK(std::isnan(out.soft.to_vector<float>()[1]));
  CHECK(std::isnan(
      hard_gate_backward(full({5}, 1).to(device), out.soft, make_step_state({}, device)).to_vector<float>()[4]));
}

}  // namespace

TEST_CASE("gates and one_hot_of_largest: NaN stays where it is") { check_nan(Device::kCpu); }

TEST_CASE("cuda gates and one_hot_of_largest: NaN stays where it is") {
  if (!has_cuda()) return;
  check_nan(Device::kCuda);
}

namespace {

void check_margin(Device device) {
  const Tensor z = from_values<float>({2, kNan, -2, 0.5f}, {2, 2}).to(device);
  const Tensor margin = gate_margin(z, make_step_state({.skim_threshold = 0.5}, device));
  CHECK(difference(margin, from_values<float>({1.5f, kNan, -2.5f, 0}, {2, 2}), {0, 0}) == "");
}

}  // namespace

TEST_CASE("gates: the margin is what z has above the threshold") { check_margin(Device::kCpu); }

TEST_CASE("cuda gates: the margin is what z has above the threshold") {
  if (has_cuda()) check_margin(Device::kCuda);
}

TEST_CASE("gates: hard is the side of z + s noise, soft its sigmoid, and the slope that of the soft one") {
  const math::Gate<double> gate = math::hard_gate(0.25, -1.0, 0.5, 5.0);
  CHECK(gate.hard == 0);
  CHECK(gate.soft == Approx(1 / (1 + std::exp(1.25))));
  CHECK(math::hard_gate_backward(2.0, 0.25, 2.0) == Approx(2 * 0.25 * 0.75 / 0.5));
}

namespace {

// Gates of 1 to 9 to a row: as many as fill a Philox block, and not.
void check_drawn(Device device) {
  const Packed rows = make_packed({5, 1, 70}, {3, 14, 15});
  DropoutKey key = to(dropout_key(0, rows, {Purpose::kGate, 3, 1}), device);
  key.state = make_step_state({.seed = 7, .step = 2, .temperature = 0.7, .gate_noise = 0.9}, device);
  for (const DType dtype : {DType::kFloat32, DType::kFloat64}) {
    for (const std::int64_t cols : {1, 3, 4, 8, 9}) {
      const Tensor z = random_normal({rows.tokens, cols}, 3, dtype).to(device);
      const GateOutput drawn = hard_gate(z, key), given = hard_gate(z, logistic_noise(key, cols, dtype), key.state);
      INFO(dtype << ", " << cols << " gates a row");
      CHECK(same_bits(drawn.hard.to(Device::kCpu), given.hard.to(Device::kCpu)));
      CHECK(same_bits(drawn.soft.to(Device::kCpu), given.soft.to(Device::kCpu)));
    }
  }
  CHECK(
      hard_gate(empty({0, 3}, DType::kFloat32, device), to(dropout_key(0, make_packed({}, {})), device)).hard.numel() ==
      0);
}

}  // namespace

TEST_CASE("gates: those that draw their noise are those to which it is given") { check_drawn(Device::kCpu); }

TEST_CASE("cuda gates: those that draw their noise are those to which it is given") {
  if (has_cuda()) check_drawn(Device::kCuda);
}

TEST_CASE("noise: what it needs is checked, by the op's name") {
  const Packed rows = make_packed({2}, {0});
  CHECK(message_of([] { logistic_noise({}, 1); }) == "logistic_noise: expected a step state and the ids of each row");
  CHECK(message_of([&] { logistic_noise(dropout_key(0, rows), 1, DType::kInt32); }) ==
        "logistic_noise: expected float32 or float64, got int32");
  CHECK(message_of([&] { hard_gate(zeros({3}), dropout_key(0, rows)); }) ==
        "hard_gate: expected gates [3] that belong to 2 rows");
  CHECK(message_of([&] { gumbel_noise(dropout_key(0, rows), 1, DType::kInt32); }) ==
        "gumbel_noise: expected float32 or float64, got int32");
}
