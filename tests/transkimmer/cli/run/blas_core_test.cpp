#include "transkimmer/cli/run/blas_core.h"

#include "tests/support/catch.h"

namespace tk {
namespace {

constexpr ProcessorFeatures kBaseline = {};
constexpr ProcessorFeatures kAvx2 = {.avx = true, .avx2 = true};
constexpr ProcessorFeatures kAvx512 = {.avx = true, .avx2 = true, .avx512 = true};

TEST_CASE("BLAS core: only one far below the processor is replaced") {
  CHECK(better_blas_core("Prescott", kAvx512) == "SkylakeX");
  CHECK(better_blas_core("Nehalem", kAvx2) == "Haswell");
  CHECK(better_blas_core("Opteron_SSE3", kAvx2) == "Haswell");
  CHECK(better_blas_core("Prescott", kBaseline).empty());
  CHECK(better_blas_core("Zen", kAvx512).empty());
  CHECK(better_blas_core("Cooperlake", kAvx512).empty());
  CHECK(better_blas_core("ARMV8", kBaseline).empty());
}

TEST_CASE("BLAS core: one that the processor cannot run is known, and what it lacks") {
  for (const char* core : {"SkylakeX", "skylakex", "SKYLAKEX"}) {
    CHECK(lacking_for_core(core, kAvx2) == "AVX-512");
    CHECK(lacking_for_core(core, kAvx512).empty());
  }
  CHECK(lacking_for_core("Cooperlake", kAvx512) == "AVX-512 for bfloat16");
  CHECK(lacking_for_core("Haswell", kBaseline) == "AVX2");
  CHECK(lacking_for_core("Zen", {.avx = true}) == "AVX2");
  CHECK(lacking_for_core("Zen", kAvx2).empty());
  CHECK(lacking_for_core("Sandybridge", kBaseline) == "AVX");
  CHECK(lacking_for_core("Opteron", kAvx512) == "3DNow!");
  for (const char* core : {"Bulldozer", "Piledriver", "Steamroller", "Excavator"}) {
    CHECK(lacking_for_core(core, kAvx512) == "FMA4");
  }
  for (const char* core : {"Prescott", "Nehalem", "Barcelona", "NeoverseN1", ""}) {
    CHECK(lacking_for_core(core, kBaseline).empty());
  }
}

}  // namespace
}  // namespace tk
