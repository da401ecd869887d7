#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace tk {

/// What matrix products of the CPU run on, least first; each can do what those before it can. BLAS has the processor to
/// itself (tensor/threads.h).
enum class CpuIsa : std::uint8_t {
  kBlas,        ///< no product of the project's own
  kAvx2,        ///< with FMA
  kAvx512,      ///< F, BW, DQ, VL
  kAvx512Bf16,  ///< products of bfloat16
  kAmx,         ///< tiles for bfloat16
};
inline constexpr std::array kAllCpuIsas = {CpuIsa::kBlas, CpuIsa::kAvx2, CpuIsa::kAvx512, CpuIsa::kAvx512Bf16,
                                           CpuIsa::kAmx};

std::string_view name(CpuIsa isa);
/// Throws tk::Error that lists the names.
CpuIsa cpu_isa_from_name(std::string_view name);

/// The most that this processor and its system have.
CpuIsa best_cpu_isa();
/// What products run on: by default the best, or, where OPENBLAS_CORETYPE names a core, what the kernels of that need.
CpuIsa cpu_isa();
/// For the whole process. Throws tk::Error where the processor has less.
void set_cpu_isa(CpuIsa isa);

}  // namespace tk
