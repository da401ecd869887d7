// Shows this processor to one program as one that has less: AVX2 and FMA without AVX-512, AMX and VNNI, or, with
// KEEP_AVX512_VNNI, AVX-512 with VNNI without bfloat16 and AMX. CPUID traps (Linux' ARCH_SET_CPUID, arch_prctl(2)) and
// is answered here with those features taken out. So programs are held back that cannot be told to (ONNX Runtime), and
// all by the same means. `run.py --processor avx2` builds it and starts all programs so:
//
//     c++ -shared -fPIC lesser_processor.cpp -o lesser_processor.so && LD_AUDIT=$PWD/lesser_processor.so PROGRAM
//
// An auditor (rtld-audit(7)) and no LD_PRELOAD, since resolvers of indirect functions ask for the processor before any
// constructor runs. glibc's own functions (memcpy) have chosen before, and keep what the processor really has.

#include <asm/prctl.h>
#include <cpuid.h>
#include <link.h>
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>
#include <initializer_list>

namespace {

constexpr std::uint32_t bits(std::initializer_list<int> positions) {
  std::uint32_t mask = 0;
  for (int position : positions) mask |= 1u << position;
  return mask;
}

// Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2A, CPUID.
struct Features {
  std::uint32_t leaf7_ebx, leaf7_ecx, leaf7_edx, subleaf1_eax, subleaf1_edx;
};
// AMX BF16, AVX512 FP16, AMX TILE, AMX INT8; AVX512 BF16, AMX FP16; AMX COMPLEX, AVX10.
constexpr Features kAmxAndBfloat16 = {0, 0, bits({22, 23, 24, 25}), bits({5, 21}), bits({8, 19})};
// AVX512 F, DQ, IFMA, PF, ER, CD, BW, VL; VBMI, VBMI2, VNNI, BITALG, VPOPCNTDQ; 4VNNIW, 4FMAPS, VP2INTERSECT; AVX VNNI,
// AVX IFMA; AVX VNNI INT8, NE CONVERT, VNNI INT16.
constexpr Features kAvx512AndVnni = {bits({16, 17, 21, 26, 27, 28, 30, 31}), bits({1, 6, 11, 12, 14}), bits({2, 3, 8}),
                                     bits({4, 23}), bits({4, 5, 10})};
#ifdef KEEP_AVX512_VNNI
constexpr bool kKeepsAvx512 = true;
#else
constexpr bool kKeepsAvx512 = false;
#endif

void take_out(const Features& features, std::uint32_t subleaf, std::uint32_t& eax, std::uint32_t& ebx,
              std::uint32_t& ecx, std::uint32_t& edx) {
  if (subleaf == 0) {
    ebx &= ~features.leaf7_ebx;
    ecx &= ~features.leaf7_ecx;
    edx &= ~features.leaf7_edx;
  } else if (subleaf == 1) {
    eax &= ~features.subleaf1_eax;
    edx &= ~features.subleaf1_edx;
  }
}

void trap_cpuid(bool on) { syscall(SYS_arch_prctl, ARCH_SET_CPUID, on ? 0L : 1L); }

void answer(int signal_number, siginfo_t*, void* context) {
  greg_t* registers = static_cast<ucontext_t*>(context)->uc_mcontext.gregs;
  const auto* instruction = reinterpret_cast<const unsigned char*>(registers[REG_RIP]);
  if (instruction[0] != 0x0f || instruction[1] != 0xa2) {  // not CPUID: a fault of the program's own
    signal(signal_number, SIG_DFL);
    return;
  }
  const auto leaf = static_cast<std::uint32_t>(registers[REG_RAX]);
  const auto subleaf = static_cast<std::uint32_t>(registers[REG_RCX]);
  std::uint32_t eax, ebx, ecx, edx;
  trap_cpuid(false);
  __cpuid_count(leaf, subleaf, eax, ebx, ecx, edx);
  trap_cpuid(true);
  if (leaf == 7) {
    take_out(kAmxAndBfloat16, subleaf, eax, ebx, ecx, edx);
    if (!kKeepsAvx512) take_out(kAvx512AndVnni, subleaf, eax, ebx, ecx, edx);
  }
  registers[REG_RAX] = eax;
  registers[REG_RBX] = ebx;
  registers[REG_RCX] = ecx;
  registers[REG_RDX] = edx;
  registers[REG_RIP] += 2;
}

// The program's own handlers for a fault would be called in `answer`'s place.
int sigaction_but_for_faults(int number, const struct sigaction* action, struct sigaction* before) {
  if (number != SIGSEGV) return sigaction(number, action, before);
  if (before != nullptr) *before = {};
  return 0;
}

}  // namespace

extern "C" unsigned la_version(unsigned) {
  struct sigaction action = {};
  action.sa_sigaction = answer;
  action.sa_flags = SA_SIGINFO;
  sigaction(SIGSEGV, &action, nullptr);
  if (syscall(SYS_arch_prctl, ARCH_SET_CPUID, 0L) != 0) {
    perror("lesser_processor: CPUID cannot be trapped on this processor or under its hypervisor");
    _exit(1);
  }
  return LAV_CURRENT;
}

extern "C" unsigned la_objopen(link_map*, Lmid_t, uintptr_t*) { return LA_FLG_BINDTO | LA_FLG_BINDFROM; }

extern "C" uintptr_t la_symbind64(Elf64_Sym* symbol, unsigned, uintptr_t*, uintptr_t*, unsigned*, const char* name) {
  if (std::strcmp(name, "sigaction") == 0) return reinterpret_cast<uintptr_t>(sigaction_but_for_faults);
  return symbol->st_value;
}
