#include "transkimmer/cli/run/runtime.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <string_view>

#include "tensor/backend.h"
#include "tensor/cpu_isa.h"
#include "tensor/error.h"
#include "tensor/precision.h"
#include "tensor/queue.h"
#include "tensor/threads.h"
#include "transkimmer/cli/run/blas_core.h"
#include "transkimmer/cli/run/log.h"
#include "transkimmer/cli/run/signals.h"

namespace tk {
namespace {

constexpr const char* kCoreVariable = "OPENBLAS_CORETYPE";

// BLAS chooses its kernels when it is loaded, so another choice takes another process. Returns only when that fails;
// without the variable the next process would start again, and so on for ever.
void restart_with_core(const std::string& core, const char* const* argv) {
  if (::setenv(kCoreVariable, core.c_str(), 1) == 0) ::execv("/proc/self/exe", const_cast<char* const*>(argv));
  warn("could not start again with {}={}; going on with {}", kCoreVariable, core, blas_core());
}

void choose_blas_core(const std::string& wanted, const char* const* argv) {
  const char* set = std::getenv(kCoreVariable);
  const ProcessorFeatures features = processor_features();
  if (!wanted.empty()) {
    const std::string_view lacking = lacking_for_core(wanted, features);
    TK_CHECK(lacking.empty(), "--blas_coretype: the kernels of ", wanted, " need ", lacking,
             ", which this processor lacks");
    if (set == nullptr || wanted != set) restart_with_core(wanted, argv);
    const auto same = [](unsigned char a, unsigned char b) { return std::tolower(a) == std::tolower(b); };
    TK_CHECK(std::ranges::equal(wanted, blas_core(), same), "--blas_coretype: this BLAS has no core \"", wanted,
             "\" and runs ", blas_core());
    return;
  }
  if (set != nullptr || cpu_isa() != CpuIsa::kBlas) return;
  const std::string better = better_blas_core(blas_core(), features);
  if (better.empty()) return;
  warn("BLAS chose its {} kernels, far below this processor; starting again with {}={}", blas_core(), kCoreVariable,
       better);
  restart_with_core(better, argv);
}

}  // namespace

void add_cpu_isa_flag(Flags& flags, std::string& isa) {
  flags
      .add("--cpu_isa", isa,
           "what matrix products of the CPU run on, for comparisons; auto: the most that the processor has")
      .choices({"auto", "blas", "neon", "avx2", "avx_vnni", "avx512", "avx512_vnni", "avx512_bf16", "amx"});
}

void add_runtime_flags(Flags& flags, RuntimeFlags& runtime) {
  flags.group("Machine");
  flags.add("--threads", runtime.threads, "CPU threads; 0: the cores that the process may use").range(0, 4096);
  flags.add("--device", runtime.device, "where to compute; auto: cuda if there is one")
      .choices({"auto", "cpu", "cuda"});
  flags
      .add("--dtype", runtime.dtype,
           "what is computed in; weights and optimizer stay float32. bfloat16: on cuda, or where the processor has "
           "AVX512_BF16 or AMX. int8: inference on the cpu, as with a folder of int8 weights (convert)")
      .choices({"float32", "bfloat16", "int8"});
  flags
      .add("--queues", runtime.queues,
           "batches that cuda evaluates side by side, which the last bits depend on; 0: 4 on cuda, 1 on cpu")
      .range(0, Queue::kMost);
  flags.add("--progress", runtime.progress, "progress bar on standard error; auto: if that is a terminal");
  add_cpu_isa_flag(flags, runtime.cpu_isa);
  flags.add("--blas_coretype", runtime.blas_coretype,
            "processor core whose kernels OpenBLAS runs, such as Haswell or SkylakeX; what the bits depend on", "CORE");
}

Placement placement_of(const RuntimeFlags& runtime) {
  Placement placement{device_from_name(runtime.device), dtype_from_name(runtime.dtype)};
  const bool has_queues = backend(placement.device).use_queue != nullptr;
  placement.queues = runtime.queues > 0 ? static_cast<int>(runtime.queues) : has_queues ? 4 : 1;
  TK_CHECK(placement.queues == 1 || has_queues, "--queues: ", placement.queues,
           " batches side by side need cuda, and this is ", placement.device);
  check_computes_in("--dtype", placement.device, placement.dtype);
  return placement;
}

void start_runtime(const RuntimeFlags& runtime, const char* const* argv) {
  if (runtime.cpu_isa != "auto") set_cpu_isa(cpu_isa_from_name(runtime.cpu_isa));
  choose_blas_core(runtime.blas_coretype, argv);
  catch_stop_signals();
  if (!blas_uses_openmp()) {
    warn(
        "OpenBLAS does not thread by OpenMP here and will be several times slower inside parallel regions; "
        "install libopenblas-openmp-dev (or libopenblas0-openmp) and link that one: {}",
        blas_info());
  }
  if (runtime.threads > 0) set_num_threads(static_cast<int>(runtime.threads));
  if (num_threads() < runtime.threads) {
    warn("--threads {}: OpenMP gives {} here (see OMP_THREAD_LIMIT, OMP_MAX_ACTIVE_LEVELS)", runtime.threads,
         num_threads());
  }
  start_threads();
}

}  // namespace tk
