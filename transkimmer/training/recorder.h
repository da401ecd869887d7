#pragma once

#include <functional>
#include <map>
#include <utility>

#include "data/batch.h"
#include "tensor/capture.h"
#include "tensor/error.h"
#include "tensor/profile.h"

namespace tk {

/// Where the device records: the batch with dummy rows up to a bucket's edge, so that steps of almost one size have one
/// shape. Elsewhere as it is.
Batch in_bucket(const Batch& batch, Device device);

/// One kind of work on batches. A device that records is asked for all of it, kernel by kernel, the first `unrecorded`
/// times that a bucket comes; then the bucket is recorded, and replayed from there on: one call, and the same bits.
/// While a profile is taken nothing is recorded or replayed.
template <class Outputs>
class Recorder {
 public:
  using Work = std::function<Outputs(const Batch&)>;

  /// `unrecorded` is at least 1: libraries set themselves up in the first run, and parameters their copies in other
  /// dtypes, which must not be part of what one body of a switch does.
  Recorder(Device device, int unrecorded, Work work)
      : device_(device), unrecorded_(unrecorded), work_(std::move(work)) {
    TK_CHECK(unrecorded >= 1, "recorder: a shape must run once before it is recorded");
  }

  /// The batch lies on the CPU. The outputs of a recorded bucket are valid until it is replayed again.
  Outputs operator()(const Batch& batch) {
    const Batch rounded = in_bucket(batch, device_);
    if (!Capture::is_possible(device_) || is_profiling()) return work_(to(rounded, device_));
    Step& step = steps_[{rounded.tokens.rows.tokens, rounded.sentences()}];
    if (step.seen++ < unrecorded_) return work_(to(rounded, device_));
    if (!step.capture) {
      step.batch = to(rounded, device_);
      step.capture = Capture::record(device_, [&] { step.outputs = work_(step.batch); });
    } else {
      overwrite(step.batch, rounded);
    }
    step.capture.replay();
    return step.outputs;
  }

  /// Drops what was recorded: the work would now be another.
  void forget() { steps_.clear(); }

 private:
  struct Step {
    std::int64_t seen = 0;
    Batch batch;
    Outputs outputs;
    Capture capture;
  };

  Device device_;
  int unrecorded_;
  Work work_;
  std::map<std::pair<std::int64_t, std::int64_t>, Step> steps_;  // by rows and sentences
};

}  // namespace tk
