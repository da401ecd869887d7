#include "tensor/ops/gate_slope.h"

#include <cmath>
#include <limits>

#include "tensor/gate_slope_math.h"
#include "tensor/ops/gate.h"
#include "tests/support/catch.h"
#include "tests/support/devices.h"
#include "tests/support/tensors.h"

using namespace tk;
using namespace tk::test;

namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr GateSlope kSlopes[] = {
    GateSlope::kStraightThrough, GateSlope::kGumbelRao, GateSlope::kLeastNorm,  GateSlope::kGap,
    GateSlope::kExpectedGap,     GateSlope::kReinMax,   GateSlope::kReinMaxRao, GateSlope::kReinMaxCv};

GateRule rule_of(GateSlope slope, std::int64_t rows, Device device = Device::kCpu) {
  return {.slope = slope, .samples = 5, .key = to(dropout_key(0, make_packed({rows}, {3})), device)};
}

void check_extremes(Device device) {
  const Tensor z = from_values<float>({1e30f, -1e30f, 100, -100, 40, -40, 0, kNan}).to(device);
  const Tensor noise = from_values<float>({0, 0, -1, 1, -16, 16, 0.1f, 0}).to(device);
  for (const double factor : {1.0, 0.1, 0.0}) {
    for (const double temperature : {1.0, 0.05}) {
      const Tensor state = make_step_state({.temperature = temperature, .gate_noise = factor}, device);
      for (const GateSlope slope : kSlopes) {
        const SlopedGate out = gate_slope(z, noise, state, rule_of(slope, 8, device));
        const std::vector<float> hard = out.hard.to_vector<float>(), slopes = out.slope.to_vector<float>();
        INFO("slope " << static_cast<int>(slope) << ", noise " << factor << ", temperature " << temperature);
        for (std::size_t i = 0; i < 6; ++i) {
          CHECK(hard[i] == (i % 2 == 0 ? 1 : 0));
          CHECK(std::isfinite(slopes[i]));
        }
        CHECK(std::isfinite(slopes[6]));
        CHECK(std::isnan(hard[7]));
        CHECK(std::isnan(slopes[7]));
      }
    }
  }
}

}  // namespace

TEST_CASE("gate_slope: extreme scores have finite slopes, with noise and without, and NaN stays where it is") {
  check_extremes(Device::kCpu);
}

TEST_CASE("cuda gate_slope: extreme scores have finite slopes, with noise and without, and NaN stays where it is") {
  if (!has_cuda()) return;
  check_extremes(Device::kCuda);
}

namespace {

void check_drawn(Device device) {
  const std::int64_t rows = 30;
  DropoutKey key = to(dropout_key(0, make_packed({rows}, {3}), {Purpose::kGate, 3, 1}), device);
  key.state = make_step_state({.seed = 7, .step = 2, .temperature = 0.7, .gate_noise = 0.9}, device);
  for (const GateSlope slope : kSlopes) {
    for (const std::int64_t cols : {1, 3, 4, 9}) {
      const Tensor z = random_normal({rows, cols}, 3).to(device);
      const GateRule rule = rule_of(slope, rows, device);
      const SlopedGate drawn = gate_slope(z, key, rule);
      const SlopedGate given = gate_slope(z, logistic_noise(key, cols), key.state, rule);
      INFO("slope " << static_cast<int>(slope) << ", " << cols << " gates a row");
      CHECK(same_bits(drawn.hard.to(Device::kCpu), given.hard.to(Device::kCpu)));
      CHECK(same_bits(drawn.slope.to(Device::kCpu), given.slope.to(Device::kCpu)));
    }
  }
}

}  // namespace

TEST_CASE("gate_slope: gates that draw their noise are those to which it is given") { check_drawn(Device::kCpu); }

TEST_CASE("cuda gate_slope: gates that draw their noise are those to which it is given") {
  if (has_cuda()) check_drawn(Device::kCuda);
}

TEST_CASE("gate_slope: a gate and its mirror image have the same slope") {
  const Tensor z = random_normal({300}, 1), noise = random_normal({300}, 2);
  const auto mirrored = [](const Tensor& x) {
    Tensor y = x.clone();
    for (std::int64_t i = 0; i < y.numel(); ++i) y.data<float>()[i] *= -1;
    return y;
  };
  for (const GateSlope slope : kSlopes) {
    const GateRule rule = rule_of(slope, 300);
    const Tensor state = make_step_state({.temperature = 0.6});
    CHECK(same_bits(gate_slope(z, noise, state, rule).slope,
                    gate_slope(mirrored(z), mirrored(noise), state, rule).slope));
  }
}

TEST_CASE("gate_slope: a gate of least norm has the slope (1 - p) / 2 where kept and p / 2 where dropped") {
  const Tensor z = from_values<double>({0.5, 0.5});
  const SlopedGate out = gate_slope(z, from_values<double>({9, -9}), make_step_state({}), {});
  const double p = 1 / (1 + std::exp(-0.5));
  CHECK(out.slope.data<double>()[0] == Approx((1 - p) / 2));
  CHECK(out.slope.data<double>()[1] == Approx(p / 2));
}

TEST_CASE("gate_slope: rows that have several gates draw for each, and as many rows in another order the same") {
  const GateRule rule{.slope = GateSlope::kGumbelRao, .samples = 3, .key = dropout_key(0, make_packed({4}, {3}))};
  const Tensor z = zeros({4, 2}), noise = full({4, 2}, 1);
  const Tensor slope = gate_slope(z, noise, make_step_state({}), rule).slope;
  const std::vector<float> all = slope.to_vector<float>();
  for (std::size_t i = 0; i < 8; ++i) {
    for (std::size_t j = 0; j < i; ++j) CHECK(all[i] != all[j]);
  }
  GateRule last = rule;
  last.key.example = rule.key.example.narrow(0, 3, 1);
  last.key.position = rule.key.position.narrow(0, 3, 1);
  const Tensor alone = gate_slope(z.narrow(0, 3, 1), noise.narrow(0, 3, 1), make_step_state({}), last).slope;
  CHECK(same_bits(alone, slope.narrow(0, 3, 1).contiguous()));
}

TEST_CASE("gate_slope: what it needs is checked, by the op's name") {
  const Tensor x = zeros({4});
  CHECK(message_of([&] { gate_slope(x, zeros({3}), make_step_state({}), {}); }) ==
        "gate_slope: expected noise like z float32 [4], got float32 [3]");
  CHECK(message_of([&] { gate_slope(x, x, make_step_state({}), {.slope = GateSlope::kGumbelRao}); }) ==
        "gate_slope: expected a step state and the ids of each row");
  CHECK(message_of([&] { gate_slope(x, x, make_step_state({}), rule_of(GateSlope::kGumbelRao, 3)); }) ==
        "gate_slope: expected gates [4] that belong to 3 rows");
  GateRule none = rule_of(GateSlope::kGumbelRao, 4);
  none.samples = 0;
  CHECK(message_of([&] { gate_slope(x, x, make_step_state({}), none); }) ==
        "gate_slope: expected 1 to 1048576 samples, got 0");
  CHECK(message_of([&] { gate_slope(x, dropout_key(0, make_packed({2}, {0})), none); }) ==
        "gate_slope: expected 1 to 1048576 samples, got 0");
  none.samples = 1;
  CHECK(message_of([&] { gate_slope(x, dropout_key(0, make_packed({2}, {0})), none); }) ==
        "gate_slope: noise of 2 rows and samples of 4");
  CHECK(message_of([&] { gate_slope(x, x, make_step_state({.temperature = 0}), {}); }) ==
        "gate_slope: expected a temperature above 0, got 0");
}

TEST_CASE("gate_slope: the logarithm is good to 1e-7 of itself or of 1, and right at its ends") {
  double most = 0;
  for (int i = -125; i < 127; ++i) {
    for (int j = 0; j < 1000; ++j) {
      const float x = std::ldexp(1 + static_cast<float>(j) / 1000, i);
      const double expected = std::log(double{x});
      most = std::max(most, std::fabs(math::fast_log(x) - expected) / std::max(1.0, std::fabs(expected)));
    }
  }
  CHECK(most < 1.2e-7);
  CHECK(math::fast_log(1.0f) == 0);
  CHECK(math::fast_log(0.0f) == -HUGE_VALF);
  CHECK(math::fast_log(HUGE_VALF) == HUGE_VALF);
  CHECK(std::isnan(math::fast_log(-1.0f)));
  CHECK(std::isnan(math::fast_log(kNan)));
}
