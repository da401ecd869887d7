#pragma once

#include "tensor/device.h"

namespace tk {

/// One of a device's queues: work in a queue is done in the order in which it was asked for, work in different queues
/// side by side, so that one fills what another leaves idle. Each has memory of its own, and what it reads of another's
/// work must have been waited for (synchronize). Queue 0 is that of all ordinary work.
struct Queue {
  static constexpr int kMost = 16;

  int index = 0;
  int of = 1;  ///< how many share the device; products are planned for a part of it, so their last bits depend on this
};

/// As long as this lives, all that is asked of the device goes into `queue`, memory included. On the CPU, which does
/// work as it is asked for, it changes nothing. Throws for a queue that is none of its `of`, or of more than kMost.
class UseQueue {
 public:
  UseQueue(Device device, const Queue& queue);
  ~UseQueue();
  UseQueue(const UseQueue&) = delete;
  UseQueue& operator=(const UseQueue&) = delete;

 private:
  Device device_;
  Queue before_;
};

}  // namespace tk
