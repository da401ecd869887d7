#include "transkimmer/cli/run/runtime.h"

#include "tensor/cpu_isa.h"
#include "tensor/ops/elementwise.h"
#include "tensor/profile.h"
#include "tests/support/catch.h"
#include "tests/support/tensors.h"
#include "transkimmer/cli/run/progress.h"

namespace tk {
namespace {

TEST_CASE("placement: queues are of cuda alone, and bfloat16 of processors that have it") {
  const auto refused = [](const RuntimeFlags& flags) { return test::message_of([&] { placement_of(flags); }); };
  CHECK(placement_of({.device = "cpu"}).queues == 1);
  CHECK(placement_of({.device = "cpu", .queues = 1}).queues == 1);
  CHECK(refused({.device = "cpu", .queues = 2}) == "--queues: 2 batches side by side need cuda, and this is cpu");
  CHECK(placement_of({.device = "cpu", .dtype = "int8"}).dtype == DType::kInt8);
  {
    const WithCpuIsa used(CpuIsa::kBlas);
    CHECK(refused({.device = "cpu", .dtype = "bfloat16"}) ==
          "--dtype: bfloat16 on the cpu takes AVX512_BF16 or AMX, and products run on blas; compute in float32");
    CHECK(placement_of({.device = "cpu", .dtype = "int8"}).dtype == DType::kInt8);
  }
  if (cpu_isa() >= CpuIsa::kAvx512Bf16)
    CHECK(placement_of({.device = "cpu", .dtype = "bfloat16"}).dtype == DType::kBFloat16);
}

TEST_CASE("profile: kernels are counted by name while it is taken") {
  const Tensor x = full({8}, 2);
  start_profile();
  mul(x, x);
  mul(x, x);
  const std::vector<KernelProfile> profile = stop_profile();
  mul(x, x);
  REQUIRE(profile.size() == 1);
  CHECK(profile.front().name == "binary");
  CHECK(profile.front().calls == 2);
  CHECK(profile.front().seconds > 0);
}

TEST_CASE("clock: minutes and seconds, hours where there are some") {
  CHECK(clock_text(0.4) == "0:00");
  CHECK(clock_text(125) == "2:05");
  CHECK(clock_text(3661) == "1:01:01");
}

}  // namespace
}  // namespace tk
