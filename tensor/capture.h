#pragma once

#include <functional>
#include <memory>

#include "tensor/tensor.h"

namespace tk {

/// Device work that was recorded once and can be replayed without asking for each kernel again: one CUDA graph. It
/// reads and writes the memory that the recorded calls named, so tensors that go in and come out must live as long as
/// it does; what is made and freed in between lies in an arena that all captures share and eager code never gets.
class Capture {
 public:
  Capture() = default;
  /// Whether the device records.
  static bool is_possible(Device device);
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

/// Calls body(n), where n is at least the count, an int32 between 0 and `most` that its device knows, and a multiple of
/// `step` (or `most` itself). While work is recorded every such n is, and a replay takes the least that will do: the
/// host never learns the count. Otherwise the count is read back. What a recorded body leaves lies in memory that was
/// there before it.
void with_count(const Tensor& count, std::int64_t most, std::int64_t step,
                const std::function<void(std::int64_t n)>& body);

}  // namespace tk
