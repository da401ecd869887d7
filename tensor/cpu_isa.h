#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace tk {

/// What matrix products of the CPU run on, least first. Products of float32 and of bfloat16 take the last one up to
/// here that has some; all ISAs have products of int8. BLAS has the processor to itself (tensor/threads.h).
enum class CpuIsa : std::uint8_t {
  kBlas,        ///< no product of the project's own but that of int8, in plain C++
  kNeon,        ///< of 64-bit Arm, which has nothing that follows
  kAvx2,        ///< with FMA
  kAvxVnni,     ///< dot products of int8 on AVX2's registers
  kAvx512,      ///< F, BW, DQ, VL
  kAvx512Vnni,  ///< dot products of int8
  kAvx512Bf16,  ///< products of bfloat16
  kAmx,         ///< tiles for bfloat16 and int8
};
inline constexpr std::array kAllCpuIsas = {CpuIsa::kBlas,   CpuIsa::kNeon,       CpuIsa::kAvx2,       CpuIsa::kAvxVnni,
                                           CpuIsa::kAvx512, CpuIsa::kAvx512Vnni, CpuIsa::kAvx512Bf16, CpuIsa::kAmx};

std::string_view name(CpuIsa isa);
/// Throws tk::Error that lists the names.
CpuIsa cpu_isa_from_name(std::string_view name);

/// Whether this processor and its system have it: some with AVX-512 lack kAvxVnni alone.
bool has_cpu_isa(CpuIsa isa);
/// The most that they have.
CpuIsa best_cpu_isa();
/// What products run on: by default the best, or, where OPENBLAS_CORETYPE names a core, what the kernels of that need.
CpuIsa cpu_isa();
/// For the whole process. Throws tk::Error where the processor does not have it.
void set_cpu_isa(CpuIsa isa);

/// The whole process' ISA as long as it lives. Throws as set_cpu_isa does.
class WithCpuIsa {
 public:
  explicit WithCpuIsa(CpuIsa isa) : before_(cpu_isa()) { set_cpu_isa(isa); }
  ~WithCpuIsa() { set_cpu_isa(before_); }
  WithCpuIsa(const WithCpuIsa&) = delete;
  WithCpuIsa& operator=(const WithCpuIsa&) = delete;

 private:
  CpuIsa before_;
};

}  // namespace tk
