#include "transkimmer/training/recorder.h"

namespace tk {

StepInputs to(const StepInputs& in, Device device) { return {to(in.batch, device), in.teacher.to(device)}; }

StepInputs in_bucket(const StepInputs& in, Device device) {
  constexpr std::int64_t kRows = 64;  // few shapes, and few dummy rows
  if (!Capture::is_possible(device)) return in;
  return {with_dummy_rows(in.batch, (in.batch.packed.tokens + kRows - 1) / kRows * kRows), in.teacher};
}

}  // namespace tk
