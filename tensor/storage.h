#pragma once

#include <cstdint>
#include <memory>

#include "tensor/device.h"

namespace tk {

/// A block of memory that tensors share. Owned by the caching allocator, or foreign (a mapped file) and kept alive by
/// `owner`. `version` counts the writes that went through Tensor, so that autograd notices a changed saved value.
class Storage {
 public:
  Storage(Device device, std::int64_t bytes);
  Storage(Device device, void* data, std::int64_t bytes, std::shared_ptr<const void> owner);
  ~Storage();
  Storage(const Storage&) = delete;
  Storage& operator=(const Storage&) = delete;

  void* data() const { return data_; }
  std::int64_t bytes() const { return bytes_; }
  Device device() const { return device_; }
  std::uint64_t version() const { return version_; }
  void bump_version() { ++version_; }

 private:
  Device device_;
  void* data_;
  std::int64_t bytes_;
  std::shared_ptr<const void> owner_;
  bool owned_;
  std::uint64_t version_ = 0;
};

}  // namespace tk
