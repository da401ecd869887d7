#include "nn/optim/schedule.h"

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

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

TEST_CASE("schedules: the factors of transformers', step by step") {
  std::ifstream file(TK_SOURCE_DIR "/tests/golden/schedules.json");
  REQUIRE(file);
  const nlohmann::json golden = nlohmann::json::parse(file)["schedules"];
  REQUIRE(golden.size() >= 30);
  for (const nlohmann::json& one : golden) {
    const std::string kind = one["kind"];
    CAPTURE(kind, one["warmup"].get<int>(), one["total"].get<int>());
    const auto schedule = find_choice<LearningRateSchedule>(kind);
    REQUIRE(schedule);
    const ScheduleShape shape{*schedule, one["warmup"], one["total"], one["peak"]};
    for (std::int64_t step = 0; step < std::ssize(one["factors"]); ++step) {
      CAPTURE(step);
      const double expected = one["factors"][static_cast<std::size_t>(step)];
      CHECK(std::abs(schedule_factor(shape, step) - expected) <= 1e-14);
    }
  }
}

TEST_CASE("schedules: every kind has a name, and no step's factor is negative or above one") {
  for (const Choice<LearningRateSchedule>& kind : choices(LearningRateSchedule{})) {
    CAPTURE(kind.name);
    for (const std::int64_t warmup : {0, 1, 12, 13, 20}) {
      for (std::int64_t step = 0; step <= 13; ++step) {
        const double factor = schedule_factor({kind.value, warmup, 13, 1e-3}, step);
        CHECK(factor >= 0);
        CHECK(factor <= 1);
      }
    }
  }
}

TEST_CASE("budget schedule: falls from one to the target over the ramp, then stays") {
  CHECK(budget_schedule(0, 40, 0.5) == 1.0);
  CHECK(budget_schedule(20, 40, 0.5) == 0.75);
  CHECK(budget_schedule(40, 40, 0.5) == 0.5);
  CHECK(budget_schedule(99, 40, 0.5) == 0.5);
}

TEST_CASE("temperature schedule: from the first to the last, in equal steps or equal ratios") {
  for (const TemperatureSchedule kind : {TemperatureSchedule::kExponential, TemperatureSchedule::kLinear}) {
    CHECK(temperature_schedule(kind, 2, 0.5, 0, 11) == 2);
    CHECK(temperature_schedule(kind, 2, 0.5, 10, 11) == 0.5);
    CHECK(temperature_schedule(kind, 0.7, 0.7, 3, 11) == 0.7);
    CHECK(temperature_schedule(kind, 2, 0.5, 0, 1) == 0.5);
  }
  CHECK(temperature_schedule(TemperatureSchedule::kExponential, 2, 0.5, 5, 11) == Approx(1));
  CHECK(temperature_schedule(TemperatureSchedule::kLinear, 2, 0.5, 5, 11) == 1.25);
}

TEST_CASE("gate noise schedule: fades to nothing by nine tenths of the steps, or stays") {
  CHECK(gate_noise_schedule(0, 100, 0.4) == 1.0);
  CHECK(gate_noise_schedule(50, 100, 0.4) == 1.0);
  CHECK(gate_noise_schedule(70, 100, 0.4) == Approx(0.5));
  CHECK(gate_noise_schedule(90, 100, 0.4) == 0.0);
  CHECK(gate_noise_schedule(99, 100, 0.4) == 0.0);
  CHECK(gate_noise_schedule(99, 100, 0) == 1.0);
}
