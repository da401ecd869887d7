#pragma once

#include <algorithm>
#include <cstdint>

namespace tk {

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

}  // namespace tk
