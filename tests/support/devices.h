#pragma once

#include "tensor/backend.h"
#include "tests/support/catch.h"

namespace tk::test {

/// Whether there is a CUDA device. If not, says why, and the test is reported as skipped (tests/CMakeLists.txt): call
/// it before anything else.
inline bool has_cuda() {
  const std::string reason = unavailable(Device::kCuda);
  if (!reason.empty()) WARN("cuda: skipped, " << reason);
  return reason.empty();
}

}  // namespace tk::test
