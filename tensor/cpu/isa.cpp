#include <algorithm>
#include <array>
#include <atomic>
#include <cstdlib>

#include "tensor/cpu_isa.h"
#include "tensor/error.h"
#include "tensor/threads.h"

#if defined(__x86_64__) && defined(__linux__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace tk {
namespace {

constexpr std::array<std::string_view, kAllCpuIsas.size()> kNames = {"blas", "avx2", "avx512", "avx512_bf16", "amx"};

#if defined(__x86_64__) && defined(__linux__)

// Linux gives the registers of tiles to processes that ask for them: arch_prctl(ARCH_REQ_XCOMP_PERM, XTILEDATA).
bool may_use_tiles() {
  constexpr unsigned kTile = 1U << 24, kBf16 = 1U << 22;  // CPUID 7.0, edx
  constexpr long kRequestPermission = 0x1023, kTileData = 18;
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  return __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) != 0 && (edx & kTile) != 0 && (edx & kBf16) != 0 &&
         ::syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
}

CpuIsa find_best() {
  __builtin_cpu_init();
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) return CpuIsa::kBlas;
  if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw") ||
      !__builtin_cpu_supports("avx512dq") || !__builtin_cpu_supports("avx512vl")) {
    return CpuIsa::kAvx2;
  }
  if (!__builtin_cpu_supports("avx512bf16")) return CpuIsa::kAvx512;
  return may_use_tiles() ? CpuIsa::kAmx : CpuIsa::kAvx512Bf16;
}

#else

CpuIsa find_best() { return CpuIsa::kBlas; }

#endif

// What OpenBLAS' kernels for a core need.
CpuIsa isa_of_core(std::string_view core) {
  if (core == "Cooperlake" || core == "SapphireRapids" || core == "SkylakeX") return CpuIsa::kAmx;
  return core == "Haswell" || core == "Zen" ? CpuIsa::kAvx2 : CpuIsa::kBlas;
}

std::atomic<CpuIsa>& chosen() {
  static std::atomic<CpuIsa> isa =
      std::getenv("OPENBLAS_CORETYPE") == nullptr ? best_cpu_isa() : std::min(best_cpu_isa(), isa_of_core(blas_core()));
  return isa;
}

}  // namespace

std::string_view name(CpuIsa isa) { return kNames[static_cast<std::size_t>(isa)]; }

CpuIsa cpu_isa_from_name(std::string_view name) {
  const auto found = std::find(kNames.begin(), kNames.end(), name);
  TK_CHECK(found != kNames.end(), "cpu_isa: expected blas, avx2, avx512, avx512_bf16 or amx, got ", name);
  return kAllCpuIsas[static_cast<std::size_t>(found - kNames.begin())];
}

CpuIsa best_cpu_isa() {
  static const CpuIsa best = find_best();
  return best;
}

CpuIsa cpu_isa() { return chosen().load(std::memory_order_relaxed); }

void set_cpu_isa(CpuIsa isa) {
  TK_CHECK(isa <= best_cpu_isa(), "cpu_isa: ", name(isa), " is more than this processor has, which is ",
           name(best_cpu_isa()));
  chosen() = isa;
}

}  // namespace tk
