#include "tensor/capture.h"

#include "tensor/allocator.h"
#include "tensor/backend.h"
#include "tensor/error.h"

namespace tk {
namespace {

// Allocations come from the arena as long as this lives.
class InArena {
 public:
  explicit InArena(Device device) : device_(device) { use_arena(device_, true); }
  ~InArena() { use_arena(device_, false); }
  InArena(const InArena&) = delete;
  InArena& operator=(const InArena&) = delete;

 private:
  Device device_;
};

}  // namespace

Capture Capture::record(Device device, const std::function<void()>& work) {
  const Backend& recorder = backend(device);
  TK_CHECK(recorder.begin_capture != nullptr, "capture: ", device, " records nothing");
  const InArena arena(device);
  recorder.begin_capture();
  try {
    work();
  } catch (...) {
    recorder.destroy_graph(recorder.end_capture());
    throw;
  }
  Capture capture;
  capture.device_ = device;
  capture.graph_ = std::shared_ptr<void>(recorder.end_capture(), recorder.destroy_graph);
  TK_CHECK(capture.graph_ != nullptr, "capture: the device recorded nothing; the work waits or reads back");
  return capture;
}

void Capture::replay() const {
  TK_CHECK(graph_ != nullptr, "capture: nothing was recorded");
  backend(device_).replay(graph_.get());
}

}  // namespace tk
