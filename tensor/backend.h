#pragma once

#include <cstdint>
#include <string>

#include "tensor/device.h"

namespace tk {

/// What a device does beside kernels: memory, copies, waiting. All work of a device is in one order.
struct Backend {
  /// A block of the system's memory, or null when there is none left.
  void* (*allocate)(std::int64_t bytes);
  void (*deallocate)(void* data) noexcept;
  /// Copies bytes from the host, within the device, and to the host, after what was asked for before. The host's side
  /// may be reused as soon as the call returns.
  void (*copy_in)(void* y, const void* x, std::int64_t bytes);
  void (*copy_out)(void* y, const void* x, std::int64_t bytes);
  /// Waits until everything asked for is done; throws what went wrong in it.
  void (*synchronize)();
  /// Records work instead of doing it, until end_capture(), which gives a graph to replay (null if nothing came of it).
  /// All null where the device records nothing.
  void (*begin_capture)();
  void* (*end_capture)();
  void (*replay)(void* graph);
  void (*destroy_graph)(void* graph) noexcept;
  /// Bytes of the device's memory that nobody uses.
  std::int64_t (*free_memory)();
  /// Its name and the versions that its results depend on, for manifests: "NVIDIA H100 80GB HBM3, compute 9.0, ...".
  std::string (*describe)();
};

/// The backend of a device. Throws when this build has none, or the machine has no such device, and says which.
const Backend& backend(Device device);
/// Why backend(device) would throw; empty if it would not.
std::string unavailable(Device device);

/// "auto", "cpu" or "cuda": auto is cuda where it is available. Throws on another name, and what backend() throws.
Device device_from_name(const std::string& name);

/// Waits for a device's work to be done; throws what went wrong in it.
inline void synchronize(Device device) { backend(device).synchronize(); }

}  // namespace tk
