#include "tensor/host_memory.h"

#include <fstream>
#include "tensor/allocator.h"
#include "tensor/tensor.h"
#include "tests/support/address_space.h"
#include "tests/support/catch.h"
#include "tests/support/tensors.h"

using namespace tk;
using namespace tk::test;

namespace {
constexpr std::int64_t kMiB = 1 << 20;
}

TEST_CASE("host memory: what is free is what the machine has, within the limits of the process") {
  const std::int64_t free = free_host_memory();
  CHECK(free > 0);
  CHECK(free <= bytes_within_limits());
  const AddressSpace limit(100 * kMiB);
  CHECK(bytes_within_limits() > 90 * kMiB);
  CHECK(bytes_within_limits() <= 100 * kMiB);
  CHECK(free_host_memory() <= 100 * kMiB);
  CHECK(can_map(50 * kMiB));
  CHECK_FALSE(can_map(200 * kMiB));
}

TEST_CASE("host memory: the peak begins anew on request") {
  const auto peak = [] {
    std::ifstream status("/proc/self/status");
    std::string word;
    std::int64_t kib = 0;
    while (status >> word && word != "VmHWM:") continue;
    status >> kib;
    return kib * 1024;
  };
  const std::int64_t before = peak();
  if (before == 0) return;  // no such file
  zeros({64, 1024, 1024});
  release_cached(Device::kCpu);
  CHECK(peak() >= 256 * kMiB);
  reset_peak_host_memory();
  CHECK(peak() < 256 * kMiB);
}

#ifndef __SANITIZE_ADDRESS__  // which ends the program at such a request
TEST_CASE("host memory: a tensor that does not fit says how much was asked for where, in use and free") {
  const Tensor held = zeros({1024, 1024});
  release_cached(Device::kCpu);  // else the failing request does, and more is free
  const AddressSpace limit(100 * kMiB);
  const std::string problem = message_of([] { zeros({256, 1024, 1024}); });
  CHECK_THAT(problem, ContainsSubstring("out of memory: 1073741824 bytes asked for, "));
  CHECK_THAT(problem, ContainsSubstring("free on cpu"));
  const std::string in_use = " in use, ";
  const std::size_t end = problem.find(in_use) + in_use.size();
  REQUIRE(end < problem.size());
  CHECK(std::stoll(problem.substr(end)) <= 100 * kMiB);
}
#endif
