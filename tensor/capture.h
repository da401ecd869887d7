#pragma once

#include <functional>
#include <memory>

#include "tensor/device.h"

namespace tk {

/// Device work that was recorded once and can be replayed without asking for each kernel again: one CUDA graph. It
/// reads and writes the memory that the recorded calls named, so tensors that go in and come out must live as long as
/// it does; what is made and freed in between lies in an arena that all captures share and eager code never gets.
class Capture {
 public:
  Capture() = default;
  /// Records what `work` asks of the device; nothing runs. `work` must neither read back nor wait. Throws where the
  /// device records nothing (the CPU), and what `work` throws.
  static Capture record(Device device, const std::function<void()>& work);

  explicit operator bool() const { return graph_ != nullptr; }
  /// Asks for the recorded work once more, after what was asked for before.
  void replay() const;

 private:
  Device device_ = Device::kCpu;
  std::shared_ptr<void> graph_;
};

}  // namespace tk
