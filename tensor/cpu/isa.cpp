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

constexpr std::array<std::string_view, kAllCpuIsas.size()> kNames = {"blas",   "neon",        "avx2",        "avx_vnni",
                                                                     "avx512", "avx512_vnni", "avx512_bf16", "amx"};

using Found = std::array<bool, kAllCpuIsas.size()>;

#if defined(__x86_64__) && defined(__linux__)

// Linux gives the registers of tiles to processes that ask for them: arch_prctl(ARCH_REQ_XCOMP_PERM, XTILEDATA).
bool may_use_tiles() {
  constexpr unsigned kBf16 = 1U << 22, kTile = 1U << 24, kInt8 = 1U << 25;  // CPUID 7.0, edx
  constexpr unsigned kAll = kBf16 | kTile | kInt8;
  constexpr long kRequestPermission = 0x1023, kTileData = 18;
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  return __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) != 0 && (edx & kAll) == kAll &&
         ::syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
}

bool has_avx_vnni() {
  constexpr unsigned kAvxVnni = 1U << 4;  // CPUID 7.1, eax
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  return __get_cpuid_count(7, 1, &eax, &ebx, &ecx, &edx) != 0 && (eax & kAvxVnni) != 0;
}

Found find_all() {
  __builtin_cpu_init();
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  const bool vnni = avx512 && __builtin_cpu_supports("avx512vnni");
  const bool bf16 = vnni && __builtin_cpu_supports("avx512bf16");
  return {true, false, avx2, avx2 && has_avx_vnni(), avx512, vnni, bf16, bf16 && may_use_tiles()};
}

#elif defined(__aarch64__)

Found find_all() { return {true, true}; }

#else

Found find_all() { return {true}; }

#endif

const Found& found() {
  static const Found all = find_all();
  return all;
}

// What OpenBLAS' kernels for a core need.
CpuIsa isa_of_core(std::string_view core) {
  if (has_cpu_isa(CpuIsa::kNeon)) return CpuIsa::kNeon;
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
  TK_CHECK(found != kNames.end(),
           "cpu_isa: expected blas, neon, avx2, avx_vnni, avx512, avx512_vnni, avx512_bf16 or amx, got ", name);
  return kAllCpuIsas[static_cast<std::size_t>(found - kNames.begin())];
}

bool has_cpu_isa(CpuIsa isa) { return found()[static_cast<std::size_t>(isa)]; }

CpuIsa best_cpu_isa() { return *std::find_if(kAllCpuIsas.rbegin(), kAllCpuIsas.rend(), has_cpu_isa); }

CpuIsa cpu_isa() { return chosen().load(std::memory_order_relaxed); }

void set_cpu_isa(CpuIsa isa) {
  TK_CHECK(has_cpu_isa(isa), "cpu_isa: this processor does not have ", name(isa), ", its best is ",
           name(best_cpu_isa()));
  chosen() = isa;
}

}  // namespace tk
