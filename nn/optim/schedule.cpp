#include "nn/optim/schedule.h"

#include <cmath>
#include <numbers>

namespace tk {
namespace {

constexpr double kInverseSqrtScale = 10'000;  // steps, without warm-up

double half_cosine(double done) { return std::max(0.0, 0.5 * (1 + std::cos(std::numbers::pi * done))); }

// 1 up to the last tenth of the steps, which the warm-up may shorten.
double stable_then_decay(const ScheduleShape& shape, std::int64_t step) {
  const std::int64_t decay = std::min(shape.total / 10, shape.total - shape.warmup);
  const std::int64_t begin = shape.total - decay;
  if (step < begin) return 1;
  return step < shape.total ? half_cosine(static_cast<double>(step - begin) / static_cast<double>(decay)) : 0;
}

}  // namespace

double schedule_factor(const ScheduleShape& shape, std::int64_t step) {
  using enum LearningRateSchedule;
  if (shape.kind == kConstant) return 1;
  if (shape.kind == kLinear || step < shape.warmup) return linear_schedule(step, shape.warmup, shape.total);
  const auto behind = static_cast<double>(step - shape.warmup);
  const double done = behind / static_cast<double>(std::max<std::int64_t>(1, shape.total - shape.warmup));
  switch (shape.kind) {
    case kCosine:
      return half_cosine(done);
    case kCosineWithRestarts:
      return done < 1 ? half_cosine(done) : 0;
    case kPolynomial:
      if (step > shape.total) return kPolynomialEnd / shape.peak;
      return ((shape.peak - kPolynomialEnd) * (1 - done) + kPolynomialEnd) / shape.peak;
    case kInverseSqrt: {
      const double scale = shape.warmup > 0 ? static_cast<double>(shape.warmup) : kInverseSqrtScale;
      return 1 / std::sqrt((behind + scale) / scale);
    }
    case kWarmupStableDecay:
      return stable_then_decay(shape, step);
    default:
      return 1;
  }
}

}  // namespace tk
