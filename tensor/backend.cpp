#include "tensor/backend.h"

#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <vector>

#include "tensor/error.h"
#if TK_HAS_CUDA
#include "tensor/cuda/runtime.h"
#endif

namespace tk {
namespace {

constexpr std::size_t kAlignment = 64;

constexpr Backend kCpuBackend = {
    .allocate = [](std::int64_t bytes) { return std::aligned_alloc(kAlignment, static_cast<std::size_t>(bytes)); },
    .deallocate = [](void* data) noexcept { std::free(data); },
    .copy_in = [](void* y, const void* x, std::int64_t bytes) { std::memcpy(y, x, static_cast<std::size_t>(bytes)); },
    .copy_out = [](void* y, const void* x, std::int64_t bytes) { std::memcpy(y, x, static_cast<std::size_t>(bytes)); },
    .copy_out_later = [](const void* x, std::int64_t bytes) -> std::function<void(void*)> {
      const auto* from = static_cast<const std::byte*>(x);
      return [copy = std::vector(from, from + bytes)](void* y) { std::memcpy(y, copy.data(), copy.size()); };
    },
    .synchronize = [] {},
    .use_queue = nullptr,
    .begin_capture = nullptr,
    .end_capture = nullptr,
    .is_capturing = nullptr,
    .replay = nullptr,
    .destroy_graph = nullptr,
    .record_switch = nullptr,
    .free_memory = [] { return std::int64_t{sysconf(_SC_AVPHYS_PAGES)} * sysconf(_SC_PAGESIZE); },
    .describe = [] { return std::string("cpu"); },
    .host_calls = [] { return HostCalls(); }};

}  // namespace

HostCalls operator-(const HostCalls& a, const HostCalls& b) {
  return {.launches = a.launches - b.launches,
          .replays = a.replays - b.replays,
          .copies_in = a.copies_in - b.copies_in,
          .copies_out = a.copies_out - b.copies_out,
          .waits = a.waits - b.waits};
}

std::string unavailable(Device device) {
  if (device == Device::kCpu) return "";
#if TK_HAS_CUDA
  return cuda::unavailable();
#else
  return "this build has no CUDA backend (configure with -DTK_CUDA=ON)";
#endif
}

const Backend& backend(Device device) {
  if (device == Device::kCpu) return kCpuBackend;
#if TK_HAS_CUDA
  static const std::string reason = cuda::unavailable();
  if (reason.empty()) return cuda::kBackend;
#else
  const std::string reason = unavailable(device);
#endif
  throw Error(concat("device ", device, ": ", reason));
}

Device device_from_name(const std::string& name) {
  if (name == "cpu" || (name == "auto" && !unavailable(Device::kCuda).empty())) return Device::kCpu;
  TK_CHECK(name == "auto" || name == "cuda", "device: expected auto, cpu or cuda, got ", name);
  backend(Device::kCuda);
  return Device::kCuda;
}

}  // namespace tk
