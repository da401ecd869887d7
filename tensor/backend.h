#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "tensor/device.h"
#include "tensor/dtype.h"
#include "tensor/queue.h"

namespace tk {

/// What the host asked of a device so far. A recorded step that is replayed costs one replay, whatever it does.
struct HostCalls {
  std::int64_t launches = 0;    ///< kernels and copies within the device, one by one
  std::int64_t replays = 0;     ///< graphs
  std::int64_t copies_in = 0;   ///< from the host
  std::int64_t copies_out = 0;  ///< to the host
  std::int64_t waits = 0;       ///< until the device was done
};
HostCalls operator-(const HostCalls& a, const HostCalls& b);

/// What a device does beside kernels: memory, copies, waiting. Work goes into the queue that is in use, in order.
struct Backend {
  /// A block of the system's memory, or null when there is none left.
  void* (*allocate)(std::int64_t bytes);
  void (*deallocate)(void* data) noexcept;
  /// Copies bytes from the host and to the host, after what was asked for before. The host's side may be reused as soon
  /// as the call returns.
  void (*copy_in)(void* y, const void* x, std::int64_t bytes);
  void (*copy_out)(void* y, const void* x, std::int64_t bytes);
  /// copy_out in two parts: asks for the bytes; what it returns waits for them, and for nothing that was asked for
  /// later, and writes them to y.
  std::function<void(void* y)> (*copy_out_later)(const void* x, std::int64_t bytes);
  /// Waits until everything asked for is done, in all queues; throws what went wrong in it.
  void (*synchronize)();
  /// Has what is asked for from now on go into a queue; returns the one before. Null where work is done as it is asked
  /// for.
  Queue (*use_queue)(const Queue& queue);
  /// Between these calls what is asked for goes beside the queue in use, after what it was asked for before, and in the
  /// order of all that goes beside. What end_beside() returns has what is asked for later come after that. Both null
  /// where work is done as it is asked for.
  void (*begin_beside)();
  std::function<void()> (*end_beside)();
  /// Records work instead of doing it, until end_capture(), which gives a graph to replay (null if nothing came of it).
  /// All null where the device records nothing.
  void (*begin_capture)();
  void* (*end_capture)();
  bool (*is_capturing)();
  void (*replay)(void* graph);
  void (*destroy_graph)(void* graph) noexcept;
  /// While recording: body(i) records the i-th of n bodies, of which a replay runs the one whose number is
  /// max(0, ceil(count / step) - 1), `count` being an int32 of the device.
  void (*record_switch)(const void* count, std::int64_t step, std::int64_t n,
                        const std::function<void(std::int64_t)>& body);
  /// Whether products read their number of rows where it lies (tensor/ops/counted_rows.h). Null: no.
  bool (*has_counted_products)();
  /// Bytes of the device's memory that nobody uses.
  std::int64_t (*free_memory)();
  /// Its name and the versions that its results depend on, for manifests: "NVIDIA H100 80GB HBM3, compute 9.0, ...".
  std::string (*describe)();
  /// Zeros where the host does the work itself.
  HostCalls (*host_calls)();
};

/// The backend of a device. Throws when this build has none, or the machine has no such device, and says which.
const Backend& backend(Device device);
/// Why backend(device) would throw; empty if it would not.
std::string unavailable(Device device);

/// "auto", "cpu" or "cuda": auto is cuda where it is available. Throws on another name, and what backend() throws.
Device device_from_name(const std::string& asked);

/// Whether the device records work just now instead of doing it.
inline bool is_recording(Device device) {
  const Backend& recorder = backend(device);
  return recorder.is_capturing != nullptr && recorder.is_capturing();
}

/// Has the device's work and its memory go into a queue from now on, or neither if the backend throws; returns the one
/// before.
Queue change_queue(const Backend& backend, Device device, const Queue& queue);

/// Waits for a device's work to be done; throws what went wrong in it.
inline void synchronize(Device device) { backend(device).synchronize(); }

}  // namespace tk
