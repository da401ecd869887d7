#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <utility>
#include <vector>

#include "data/batch.h"
#include "tensor/capture.h"
#include "tensor/error.h"
#include "tensor/profile.h"

namespace tk {

/// Where the device records: so many rows rounded up to a bucket's edge, that steps of almost one size have one shape.
/// Elsewhere 0: as they are.
std::int64_t rows_in_bucket(std::int64_t rows, Device device);
/// The batch with dummy rows up to there.
Batch in_bucket(const Batch& batch, Device device);
/// What two batches that one recorded work reads have alike.
std::vector<std::int64_t> shape_of(const Batch& batch);

/// One kind of work on batches, or on what has in_bucket, shape_of, to and overwrite as a batch does. A device that
/// records is asked for all of it, kernel by kernel, the first `unrecorded` times that a bucket comes; then the bucket
/// is recorded, and replayed from there on: one call, and the same bits. While a profile is taken nothing is recorded
/// or replayed.
template <class Outputs, class Input = Batch>
class Recorder {
 public:
  using Work = std::function<Outputs(const Input&)>;

  /// `unrecorded` is at least 1: libraries set themselves up in the first run, and parameters their copies in other
  /// dtypes, which must not be part of what one body of a switch does.
  Recorder(Device device, int unrecorded, Work work)
      : device_(device), unrecorded_(unrecorded), work_(std::move(work)) {
    TK_CHECK(unrecorded >= 1, "recorder: a shape must run once before it is recorded");
  }

  /// The input lies on the CPU. The outputs of a recorded bucket are valid until it is replayed again.
  Outputs operator()(const Input& input) {
    const Input rounded = in_bucket(input, device_);
    if (!Capture::is_possible(device_) || is_profiling()) return work_(to(rounded, device_));
    Step& step = steps_[shape_of(rounded)];
    if (step.seen++ < unrecorded_) return work_(to(rounded, device_));
    if (!step.capture) {
      step.input = to(rounded, device_);
      step.capture = Capture::record(device_, [&] { step.outputs = work_(step.input); });
    } else {
      overwrite(step.input, rounded);
    }
    step.capture.replay();
    return step.outputs;
  }

  /// Drops what was recorded: the work would now be another.
  void forget() { steps_.clear(); }

 private:
  struct Step {
    std::int64_t seen = 0;
    Input input;
    Outputs outputs;
    Capture capture;
  };

  Device device_;
  int unrecorded_;
  Work work_;
  std::map<std::vector<std::int64_t>, Step> steps_;  // by shape
};

}  // namespace tk
