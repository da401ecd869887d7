#include "tensor/queue.h"

#include "tensor/allocator.h"
#include "tensor/backend.h"
#include "tensor/beside.h"
#include "tensor/error.h"

namespace tk {

Queue change_queue(const Backend& backend, Device device, const Queue& queue) {
  if (backend.use_queue == nullptr) return queue;
  join_beside(device);  // work beside this queue is what it waits for, and no other
  const Queue before = backend.use_queue(queue);
  use_queue(device, queue.index);
  return before;
}

UseQueue::UseQueue(Device device, const Queue& queue) : device_(device) {
  TK_CHECK(queue.of >= 1 && queue.of <= Queue::kMost && queue.index >= 0 && queue.index < queue.of,
           "queue: expected one of 1 to ", Queue::kMost, " queues, got number ", queue.index, " of ", queue.of);
  before_ = change_queue(backend(device), device, queue);
}

UseQueue::~UseQueue() { change_queue(backend(device_), device_, before_); }

}  // namespace tk
