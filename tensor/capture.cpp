#include "tensor/capture.h"

#include <algorithm>

#include "tensor/allocator.h"
#include "tensor/backend.h"
#include "tensor/beside.h"
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

// Ends a recording that failed. What was thrown first is what matters.
void abandon(const Backend& recorder) {
  try {
    recorder.destroy_graph(recorder.end_capture());
  } catch (const Error&) {
  }
}

}  // namespace

bool Capture::is_possible(Device device) { return backend(device).begin_capture != nullptr; }

Capture Capture::record(Device device, const std::function<void()>& work) {
  const Backend& recorder = backend(device);
  TK_CHECK(recorder.begin_capture != nullptr, "capture: ", device, " records nothing");
  // What the same work left when it was not recorded is held beside the arena. Giving it back stops the device, for
  // which little memory is not worth it.
  release_cached(device, std::int64_t{256} << 20);
  const InArena arena(device);
  join_beside(device);  // a recording comes after nothing but what is recorded
  recorder.begin_capture();
  try {
    work();
    join_beside(device);
  } catch (...) {
    abandon(recorder);
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

void with_count(const Tensor& count, std::int64_t most, std::int64_t step,
                const std::function<void(std::int64_t)>& body) {
  TK_CHECK(count.dtype() == DType::kInt32 && count.numel() == 1 && step >= 1, "with_count: expected one int32, got ",
           count.dtype(), ' ', count.shape());
  const auto steps = [step](std::int64_t n) { return (n + step - 1) / step; };
  if (is_recording(count.device())) {
    backend(count.device())
        .record_switch(count.raw_data(), step, std::max<std::int64_t>(1, steps(most)),
                       [&](std::int64_t i) { body(std::min(most, (i + 1) * step)); });
  } else {
    body(std::min(most, steps(static_cast<std::int64_t>(count.item())) * step));
  }
}

}  // namespace tk
