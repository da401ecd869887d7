#include "transkimmer/cli/run/build_info.h"

#include <fstream>

#include "tensor/backend.h"
#include "tensor/communicator.h"
#include "tensor/cpu_isa.h"
#include "tensor/threads.h"

namespace tk {
namespace {

// Those that are there: "cpu, cuda: NVIDIA H100 80GB HBM3, ...".
std::string devices() {
  std::string text;
  for (const Device device : kAllDevices) {
    if (!unavailable(device).empty()) continue;
    const std::string known = name(device), described = backend(device).describe();
    text += (text.empty() ? "" : ", ") + (described == known ? known : known + ": " + described);
  }
  return text;
}

}  // namespace

const char* version() { return TK_VERSION; }

std::vector<std::pair<std::string, std::string>> build_info() {
  return {{"version", TK_VERSION},
          {"git_commit", TK_GIT_COMMIT},
          {"compiler", TK_COMPILER},
          {"build_type", TK_BUILD_TYPE},
          {"cpu_isa", std::string(name(cpu_isa()))},
          {"blas", blas_info()},
          {"blas_core", blas_core()},
          {"blas_threading", blas_uses_openmp() ? "openmp" : "not openmp"},
          {"ranks", rank_engines()},
          {"devices", devices()}};
}

std::string processor_name() {
  std::ifstream file("/proc/cpuinfo");
  file.exceptions(std::ios::badbit);
  for (std::string line; std::getline(file, line);) {
    const std::size_t colon = line.find(": ");
    if (line.starts_with("model name") && colon != std::string::npos) return line.substr(colon + 2);
  }
  return "unknown";
}

}  // namespace tk
