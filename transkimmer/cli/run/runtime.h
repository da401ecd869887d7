#pragma once

#include <cstdint>
#include <string>

#include "transkimmer/cli/run/options.h"
#include "transkimmer/cli/run/placement.h"
#include "transkimmer/cli/run/progress.h"

namespace tk {

/// Flags of every command that computes.
struct RuntimeFlags {
  std::int64_t threads = 0;  ///< 0: the cores that the process may use
  std::string device = "auto";
  std::string dtype = "float32";
  std::int64_t queues = 0;  ///< 0: by the device
  ProgressMode progress = ProgressMode::kAuto;
  std::string cpu_isa = "auto";
  std::string blas_coretype = {};
};

/// The flags' choice. Throws for a device that is not there, for a dtype in which it does not compute, and for queues
/// that it does not have.
Placement placement_of(const RuntimeFlags& runtime);

/// --cpu_isa
void add_cpu_isa_flag(Flags& flags, std::string& isa);
void add_runtime_flags(Flags& flags, RuntimeFlags& runtime);

/// Applies the flags, and has the threads that compute begin. Where BLAS must run the kernels of another processor core
/// (asked for, or because products are its own and it chose ones far below what this processor can do), starts the
/// program anew with OPENBLAS_CORETYPE set. From here on SIGINT and SIGTERM only ask to stop (see signals.h).
void start_runtime(const RuntimeFlags& runtime, const char* const* argv);

}  // namespace tk
