#include "transkimmer/cli/run/blas_core.h"

#include <algorithm>
#include <array>
#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace tk {
namespace {

using Feature = bool ProcessorFeatures::*;

struct Core {
  std::string_view name;
  Feature needs = nullptr;  // beyond what every x86-64 has
  std::string_view called = {};
};

// OpenBLAS' x86 cores. Opteron's copies end in FEMMS, Bulldozer's family multiplies and adds by FMA4. Those that need
// nothing are what it falls back to on a processor that it does not know.
constexpr std::array kCores = {
    Core{"Katmai"},
    Core{"Coppermine"},
    Core{"Northwood"},
    Core{"Prescott"},
    Core{"Banias"},
    Core{"Atom"},
    Core{"Core2"},
    Core{"Penryn"},
    Core{"Dunnington"},
    Core{"Nehalem"},
    Core{"Athlon"},
    Core{"Barcelona"},
    Core{"Bobcat"},
    Core{"Nano"},
    Core{"Opteron", &ProcessorFeatures::amd_3dnow, "3DNow!"},
    Core{"Opteron_SSE3", &ProcessorFeatures::amd_3dnow, "3DNow!"},
    Core{"Sandybridge", &ProcessorFeatures::avx, "AVX"},
    Core{"Bulldozer", &ProcessorFeatures::fma4, "FMA4"},
    Core{"Piledriver", &ProcessorFeatures::fma4, "FMA4"},
    Core{"Steamroller", &ProcessorFeatures::fma4, "FMA4"},
    Core{"Excavator", &ProcessorFeatures::fma4, "FMA4"},
    Core{"Haswell", &ProcessorFeatures::avx2, "AVX2"},
    Core{"Zen", &ProcessorFeatures::avx2, "AVX2"},
    Core{"SkylakeX", &ProcessorFeatures::avx512, "AVX-512"},
    Core{"Cooperlake", &ProcessorFeatures::avx512_bf16, "AVX-512 for bfloat16"},
    Core{"SapphireRapids", &ProcessorFeatures::avx512_bf16, "AVX-512 for bfloat16"},
};

constexpr char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

const Core* find_core(std::string_view name) {
  const auto same = [name](const Core& core) {
    return std::equal(name.begin(), name.end(), core.name.begin(), core.name.end(),
                      [](char a, char b) { return lower(a) == lower(b); });
  };
  const auto found = std::find_if(kCores.begin(), kCores.end(), same);
  return found == kCores.end() ? nullptr : &*found;
}

}  // namespace

ProcessorFeatures processor_features() {
  ProcessorFeatures features;
#if defined(__x86_64__)
  __builtin_cpu_init();
  features.avx = __builtin_cpu_supports("avx");
  features.avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  features.avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                    __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
  features.avx512_bf16 = features.avx512 && __builtin_cpu_supports("avx512bf16");
  features.fma4 = __builtin_cpu_supports("fma4");
  constexpr unsigned kExtendedFeatures = 0x80000001, k3dNow = 1U << 31;
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  features.amd_3dnow = __get_cpuid(kExtendedFeatures, &eax, &ebx, &ecx, &edx) != 0 && (edx & k3dNow) != 0;
#endif
  return features;
}

std::string_view lacking_for_core(std::string_view core, const ProcessorFeatures& features) {
  const Core* known = find_core(core);
  return known == nullptr || known->needs == nullptr || features.*known->needs ? std::string_view() : known->called;
}

std::string better_blas_core(std::string_view core, const ProcessorFeatures& features) {
  const Core* known = find_core(core);
  const bool is_weak = known != nullptr && (known->needs == nullptr || known->needs == &ProcessorFeatures::amd_3dnow);
  if (!is_weak) return "";
  return features.avx512 ? "SkylakeX" : features.avx2 ? "Haswell" : "";
}

}  // namespace tk
