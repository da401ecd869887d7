// Shows this processor to one program as one with AVX2 and FMA but without AVX-512, AMX and VNNI: CPUID traps (Linux'
// ARCH_SET_CPUID, arch_prctl(2)) and is answered here with those features taken out. So programs are held back that
// cannot be told to (ONNX Runtime), and all by the same means. `run.py --avx2` builds it and starts all programs so:
//
//     c++ -shared -fPIC avx2_processor.cpp -o avx2_processor.so && LD_AUDIT=$PWD/avx2_processor.so PROGRAM
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
// Leaf 7: AVX512 F, DQ, IFMA, PF, ER, CD, BW, VL; VBMI, VBMI2, VNNI, BITALG, VPOPCNTDQ; 4VNNIW, 4FMAPS, VP2INTERSECT,
// AMX BF16, AVX512 FP16, AMX TILE, AMX INT8.
constexpr std::uint32_t kLeaf7Ebx = bits({16, 17, 21, 26, 27, 28, 30, 31});
constexpr std::uint32_t kLeaf7Ecx = bits({1, 6, 11, 12, 14});
constexpr std::uint32_t kLeaf7Edx = bits({2, 3, 8, 22, 23, 24, 25});
// Its subleaf 1: AVX VNNI, AVX512 BF16, AMX FP16, AVX IFMA; AVX VNNI INT8, NE CONVERT, AMX COMPLEX, VNNI INT16, AVX10.
constexpr std::uint32_t kSubleaf1Eax = bits({4, 5, 21, 23});
constexpr std::uint32_t kSubleaf1Edx = bits({4, 5, 8, 10, 19});

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
  if (leaf == 7 && subleaf == 0) {
    ebx &= ~kLeaf7Ebx;
    ecx &= ~kLeaf7Ecx;
    edx &= ~kLeaf7Edx;
  } else if (leaf == 7 && subleaf == 1) {
    eax &= ~kSubleaf1Eax;
    edx &= ~kSubleaf1Edx;
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
    perror("avx2_processor: CPUID cannot be trapped on this processor or under its hypervisor");
    _exit(1);
  }
  return LAV_CURRENT;
}

extern "C" unsigned la_objopen(link_map*, Lmid_t, uintptr_t*) { return LA_FLG_BINDTO | LA_FLG_BINDFROM; }

extern "C" uintptr_t la_symbind64(Elf64_Sym* symbol, unsigned, uintptr_t*, uintptr_t*, unsigned*, const char* name) {
  if (std::strcmp(name, "sigaction") == 0) return reinterpret_cast<uintptr_t>(sigaction_but_for_faults);
  return symbol->st_value;
}
