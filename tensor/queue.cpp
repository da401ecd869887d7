#include "tensor/queue.h"

#include "tensor/allocator.h"
#include "tensor/backend.h"
#include "tensor/error.h"

namespace tk {
namespace {

Queue change(Device device, const Queue& queue) {
  const Backend& of = backend(device);
  if (of.use_queue == nullptr) return queue;
  use_queue(device, queue.index);
  return of.use_queue(queue);
}

}  // namespace

UseQueue::UseQueue(Device device, const Queue& queue) : device_(device) {
  TK_CHECK(queue.of >= 1 && queue.of <= Queue::kMost && queue.index >= 0 && queue.index < queue.of,
           "queue: expected one of 1 to ", Queue::kMost, " queues, got number ", queue.index, " of ", queue.of);
  before_ = change(device, queue);
}

UseQueue::~UseQueue() { change(device_, before_); }

}  // namespace tk
