#include "tensor/allocator.h"

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <map>
#include <mutex>
#include <vector>

#include "tensor/error.h"

namespace tk {
namespace {

constexpr std::int64_t kAlignment = 64;

// Sizes are rounded up to an eighth of their power of two: at most 12.5 % is lost, and nearby shapes share blocks.
std::int64_t rounded(std::int64_t bytes) {
  const std::int64_t step =
      std::max(kAlignment, static_cast<std::int64_t>(std::bit_floor(static_cast<std::uint64_t>(bytes)) / 8));
  return (bytes + step - 1) / step * step;
}

class CachingAllocator {
 public:
  ~CachingAllocator() { release_cached(); }

  void* allocate(std::int64_t bytes) {
    const std::int64_t size = rounded(bytes);
    const std::lock_guard lock(mutex_);
    std::vector<void*>& cached = cache_[size];
    void* data = nullptr;
    if (!cached.empty()) {
      data = cached.back();
      cached.pop_back();
    } else {
      data = from_system(size);
    }
    stats_.allocated += size;
    stats_.peak_allocated = std::max(stats_.peak_allocated, stats_.allocated);
    return data;
  }

  void deallocate(void* data, std::int64_t bytes) noexcept {
    const std::int64_t size = rounded(bytes);
    const std::lock_guard lock(mutex_);
    stats_.allocated -= size;
    cache_[size].push_back(data);
  }

  void release_cached() {
    const std::lock_guard lock(mutex_);
    free_cached();
  }

  AllocatorStats stats() {
    const std::lock_guard lock(mutex_);
    return stats_;
  }

  void reset_peak() {
    const std::lock_guard lock(mutex_);
    stats_.peak_allocated = stats_.allocated;
  }

 private:
  void* from_system(std::int64_t size) {
    void* data = std::aligned_alloc(kAlignment, static_cast<std::size_t>(size));
    if (data == nullptr) {
      free_cached();
      data = std::aligned_alloc(kAlignment, static_cast<std::size_t>(size));
    }
    TK_CHECK(data != nullptr, "allocate: the system has no ", size, " bytes more; ", stats_.allocated, " in use, ",
             stats_.reserved - stats_.allocated, " cached");
    stats_.reserved += size;
    ++stats_.system_allocations;
    return data;
  }

  void free_cached() {
    for (auto& [size, blocks] : cache_) {
      for (void* block : blocks) {
        std::free(block);
        stats_.reserved -= size;
      }
      blocks.clear();
    }
  }

  std::mutex mutex_;
  std::map<std::int64_t, std::vector<void*>> cache_;  // free blocks by rounded size
  AllocatorStats stats_;
};

// Never destroyed: tensors with static lifetime may outlive any order of destruction.
CachingAllocator& cpu_allocator() {
  static CachingAllocator* const allocator = new CachingAllocator;
  return *allocator;
}

CachingAllocator& allocator_of(Device device) {
  TK_CHECK(device == Device::kCpu, "allocate: this build has no ", device, " backend");
  return cpu_allocator();
}

}  // namespace

AllocatorStats allocator_stats(Device device) { return allocator_of(device).stats(); }

void reset_peak(Device device) { allocator_of(device).reset_peak(); }

void release_cached(Device device) { allocator_of(device).release_cached(); }

void* allocate(Device device, std::int64_t bytes) {
  constexpr std::int64_t kMost = std::int64_t{1} << 62;  // leaves room for rounding up
  TK_CHECK(bytes >= 0 && bytes <= kMost, "allocate: expected a size of 0 to 2^62 bytes, got ", bytes);
  return bytes == 0 ? nullptr : allocator_of(device).allocate(bytes);
}

void deallocate(Device device, void* data, std::int64_t bytes) noexcept {
  if (data != nullptr) allocator_of(device).deallocate(data, bytes);
}

}  // namespace tk
