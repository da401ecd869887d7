#include "tensor/storage.h"

#include <utility>

#include "tensor/allocator.h"

namespace tk {

Storage::Storage(Device device, std::int64_t bytes)
    : device_(device), data_(allocate(device, bytes)), bytes_(bytes), owned_(true) {}

Storage::Storage(Device device, void* data, std::int64_t bytes, std::shared_ptr<const void> owner)
    : device_(device), data_(data), bytes_(bytes), owner_(std::move(owner)), owned_(false) {}

Storage::~Storage() {
  if (owned_) deallocate(device_, data_, bytes_);
}

}  // namespace tk
