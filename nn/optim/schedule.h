#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "tensor/choices.h"

namespace tk {

/// How the learning rate goes over a run: transformers' SchedulerType, with its names.
enum class LearningRateSchedule {
  kLinear,
  kCosine,
  kCosineWithRestarts,
  kPolynomial,
  kConstant,
  kConstantWithWarmup,
  kInverseSqrt,
  kWarmupStableDecay
};

inline constexpr Choice<LearningRateSchedule> kLearningRateSchedules[] = {
    {LearningRateSchedule::kLinear, "linear"},
    {LearningRateSchedule::kCosine, "cosine"},
    {LearningRateSchedule::kCosineWithRestarts, "cosine_with_restarts"},
    {LearningRateSchedule::kPolynomial, "polynomial"},
    {LearningRateSchedule::kConstant, "constant"},
    {LearningRateSchedule::kConstantWithWarmup, "constant_with_warmup"},
    {LearningRateSchedule::kInverseSqrt, "inverse_sqrt"},
    {LearningRateSchedule::kWarmupStableDecay, "warmup_stable_decay"}};
inline Choices<LearningRateSchedule> choices(LearningRateSchedule) { return kLearningRateSchedules; }

/// What the polynomial schedule ends at; the peak must be above it.
inline constexpr double kPolynomialEnd = 1e-7;

/// A run's schedule, in steps.
struct ScheduleShape {
  LearningRateSchedule kind = LearningRateSchedule::kLinear;
  std::int64_t warmup = 0;  ///< all but kConstant rise linearly from 0 over these
  std::int64_t total = 0;
  double peak = 0;  ///< the learning rate that the factor is of; kPolynomial alone reads it
};

/// The factor of the learning rate at `step` (0 for the first): the formulas, and where they have parameters the
/// defaults, of transformers/optimization.py (5.24). With w = warmup, T = total and s = step >= w,
/// p = (s - w) / max(1, T - w):
///   linear                 max(0, 1 - p)
///   cosine                 max(0, (1 + cos(pi p)) / 2)
///   cosine_with_restarts   the same: one cycle is the default
///   polynomial             ((peak - end) (1 - p) + end) / peak, end = kPolynomialEnd: the default power is 1
///   inverse_sqrt           sqrt(t / (s - w + t)), t = w, or 10000 without warm-up
///   warmup_stable_decay    1, then over the last tenth of the steps (transformers has no default for that share)
///                          (1 + cos(pi q)) / 2, q from 0 to 1
double schedule_factor(const ScheduleShape& shape, std::int64_t step);

/// The factor of the learning rate at `step` (0 for the first): linear warm-up from 0 over `warmup` steps, then linear
/// decay to 0 at `total`, as in transformers.
inline double linear_schedule(std::int64_t step, std::int64_t warmup, std::int64_t total) {
  if (step < warmup) return static_cast<double>(step) / static_cast<double>(std::max<std::int64_t>(1, warmup));
  return std::max(0.0,
                  static_cast<double>(total - step) / static_cast<double>(std::max<std::int64_t>(1, total - warmup)));
}

/// The budget at `step`: falls linearly from 1 to `target` over the first `ramp` steps, then stays.
inline double budget_schedule(std::int64_t step, std::int64_t ramp, double target) {
  const double done = ramp <= 0 ? 1.0 : std::min(1.0, static_cast<double>(step) / static_cast<double>(ramp));
  return 1.0 + done * (target - 1.0);
}

/// The share of the steps by which the gates' noise, where it fades, has gone.
inline constexpr double kGateNoiseEnd = 0.9;

/// The factor of the gates' noise at `step` of `total`: 1, then linearly to 0 over a share `fade` of the steps that
/// ends at kGateNoiseEnd, so that the last steps train what evaluation decides. Without a fade it stays 1.
inline double gate_noise_schedule(std::int64_t step, std::int64_t total, double fade) {
  if (fade <= 0) return 1;
  const double done = static_cast<double>(step) / static_cast<double>(total);
  return std::clamp((kGateNoiseEnd - done) / fade, 0.0, 1.0);
}

/// How a temperature goes from its first value to its last.
enum class TemperatureSchedule : std::uint8_t { kExponential, kLinear };
inline constexpr Choice<TemperatureSchedule> kTemperatureSchedules[] = {
    {TemperatureSchedule::kExponential, "exponential"}, {TemperatureSchedule::kLinear, "linear"}};
inline Choices<TemperatureSchedule> choices(TemperatureSchedule) { return kTemperatureSchedules; }

/// The temperature at `step` of `total`, which is `first` at step 0 and `last` at the last step: first (last /
/// first)^p, or first + p (last - first), p = step / (total - 1).
inline double temperature_schedule(TemperatureSchedule kind, double first, double last, std::int64_t step,
                                   std::int64_t total) {
  const double p = total <= 1 ? 1 : static_cast<double>(step) / static_cast<double>(total - 1);
  return kind == TemperatureSchedule::kLinear ? std::lerp(first, last, p) : first * std::pow(last / first, p);
}

}  // namespace tk
