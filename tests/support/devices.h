#pragma once

#include "tensor/backend.h"
#include "tensor/cpu_isa.h"
#include "tests/support/catch.h"

namespace tk::test {

/// Whether there is a CUDA device. If not, says why, and the test is reported as skipped (tests/CMakeLists.txt): call
/// it before anything else.
inline bool has_cuda() {
  const std::string reason = unavailable(Device::kCuda);
  if (!reason.empty()) WARN("cuda: skipped, " << reason);
  return reason.empty();
}

/// The same for products of bfloat16 on the CPU.
inline bool has_bfloat16_products() {
  const bool has = cpu_isa() >= CpuIsa::kAvx512Bf16;
  if (!has) WARN("cpu: skipped, no products of bfloat16 on " << name(cpu_isa()));
  return has;
}

}  // namespace tk::test
