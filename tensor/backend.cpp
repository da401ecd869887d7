#include "tensor/backend.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <vector>

#include "tensor/error.h"
#include "tensor/host_memory.h"
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
    .begin_beside = nullptr,
    .end_beside = nullptr,
    .begin_capture = nullptr,
    .end_capture = nullptr,
    .is_capturing = nullptr,
    .replay = nullptr,
    .destroy_graph = nullptr,
    .record_switch = nullptr,
    .has_counted_products = nullptr,
    .free_memory = free_host_memory,
    .describe = [] { return std::string("cpu"); },
    .host_calls = [] { return HostCalls(); }};

// A device's backend, if this build has it, and why it is of no use here; empty if it is.
struct Entry {
  const Backend* backend;
  std::string (*unavailable)();
};

#if TK_HAS_CUDA
constexpr Entry kCuda = {&cuda::kBackend, [] {
                           static const std::string reason = cuda::unavailable();
                           return reason;
                         }};
#else
constexpr Entry kCuda = {nullptr,
                         [] { return std::string("this build has no CUDA backend (configure with -DTK_CUDA=ON)"); }};
#endif

constexpr PerDevice<Entry> kBackends{Entry{&kCpuBackend, [] { return std::string(); }}, kCuda};

}  // namespace

HostCalls operator-(const HostCalls& a, const HostCalls& b) {
  return {.launches = a.launches - b.launches,
          .replays = a.replays - b.replays,
          .copies_in = a.copies_in - b.copies_in,
          .copies_out = a.copies_out - b.copies_out,
          .waits = a.waits - b.waits};
}

std::string unavailable(Device device) { return kBackends[device].unavailable(); }

const Backend& backend(Device device) {
  const std::string reason = unavailable(device);
  TK_CHECK(reason.empty(), "device ", device, ": ", reason);
  return *kBackends[device].backend;
}

Device device_from_name(const std::string& asked) {
  for (const Device device : kAllDevices) {
    if (asked != name(device)) continue;
    backend(device);
    return device;
  }
  TK_CHECK(asked == "auto", "device: expected auto, cpu or cuda, got ", asked);
  const auto is_there = [](Device device) { return unavailable(device).empty(); };
  return *std::find_if(std::rbegin(kAllDevices), std::rend(kAllDevices), is_there);
}

}  // namespace tk
