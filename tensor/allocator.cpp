#include "tensor/allocator.h"

#include <algorithm>
#include <bit>
#include <iterator>
#include <map>
#include <mutex>
#include <unordered_set>
#include <vector>

#include "tensor/backend.h"
#include "tensor/error.h"

namespace tk {
namespace {

constexpr std::int64_t kGranularity = 64;

// Sizes are rounded up, so that nearby shapes share blocks: to an eighth of their power of two, which loses at most
// 12.5 %, and large ones on the CPU to the next power of two, which loses nothing, since the system backs only pages
// that were written. There the batches of an epoch, whose lengths differ, live in the memory of the longest one.
std::int64_t rounded(Device device, std::int64_t bytes) {
  constexpr std::int64_t kLarge = std::int64_t{1} << 20;
  const auto power = static_cast<std::int64_t>(std::bit_floor(static_cast<std::uint64_t>(bytes)));
  const bool whole = device == Device::kCpu && bytes >= kLarge;
  const std::int64_t step = whole ? power : std::max(kGranularity, power / 8);
  return (bytes + step - 1) / step * step;
}

class CachingAllocator {
 public:
  explicit CachingAllocator(Device device) : device_(device), backend_(backend(device)) {}

  void* allocate(std::int64_t bytes) {
    const std::int64_t size = rounded(device_, bytes);
    const std::lock_guard lock(mutex_);
    std::vector<void*>& cached = (in_arena_ ? arena_ : cache_)[size];
    void* data = nullptr;
    if (!cached.empty()) {
      data = cached.back();
      cached.pop_back();
    } else {
      data = from_system(size);
      if (in_arena_) arena_blocks_.insert(data);
    }
    stats_.allocated += size;
    stats_.peak_allocated = std::max(stats_.peak_allocated, stats_.allocated);
    return data;
  }

  void deallocate(void* data, std::int64_t bytes) noexcept {
    const std::int64_t size = rounded(device_, bytes);
    const std::lock_guard lock(mutex_);
    stats_.allocated -= size;
    (arena_blocks_.contains(data) ? arena_ : cache_)[size].push_back(data);
  }

  void use_arena(bool use) {
    const std::lock_guard lock(mutex_);
    in_arena_ = use;
  }

  void release_cached(std::int64_t at_least) {
    const std::lock_guard lock(mutex_);
    std::int64_t cached = 0;
    for (const auto& [size, blocks] : cache_) cached += size * std::ssize(blocks);
    if (cached >= at_least) free_cached();
  }

  AllocatorStats stats() {
    const std::lock_guard lock(mutex_);
    return stats_;
  }

  void reset_peak() {
    const std::lock_guard lock(mutex_);
    stats_.peak_allocated = stats_.allocated;
    stats_.peak_reserved = stats_.reserved;
  }

 private:
  void* from_system(std::int64_t size) {
    void* data = backend_.allocate(size);
    if (data == nullptr) {
      free_cached();
      data = backend_.allocate(size);
    }
    TK_CHECK(data != nullptr, "out of memory: ", size, " bytes asked for, ", stats_.allocated, " in use, ",
             backend_.free_memory(), " free on ", backend_.describe(), "; lower the batch size or the sequence length");
    stats_.reserved += size;
    stats_.peak_reserved = std::max(stats_.peak_reserved, stats_.reserved);
    ++stats_.system_allocations;
    return data;
  }

  void free_cached() {
    for (auto& [size, blocks] : cache_) {
      for (void* block : blocks) {
        backend_.deallocate(block);
        stats_.reserved -= size;
      }
      blocks.clear();
    }
  }

  Device device_;
  const Backend& backend_;
  std::mutex mutex_;
  using Blocks = std::map<std::int64_t, std::vector<void*>>;  // free ones by rounded size
  Blocks cache_;
  Blocks arena_;  // never given back: graphs name its blocks
  std::unordered_set<const void*> arena_blocks_;
  bool in_arena_ = false;
  AllocatorStats stats_;
};

// Never destroyed: tensors with static lifetime may outlive any order of destruction.
template <Device device>
CachingAllocator& allocator() {
  static CachingAllocator* const allocator = new CachingAllocator(device);
  return *allocator;
}

CachingAllocator& allocator_of(Device device) {
  return device == Device::kCpu ? allocator<Device::kCpu>() : allocator<Device::kCuda>();
}

}  // namespace

AllocatorStats allocator_stats(Device device) { return allocator_of(device).stats(); }

void reset_peak(Device device) { allocator_of(device).reset_peak(); }

void use_arena(Device device, bool use) { allocator_of(device).use_arena(use); }

void release_cached(Device device, std::int64_t at_least) { allocator_of(device).release_cached(at_least); }

void* allocate(Device device, std::int64_t bytes) {
  constexpr std::int64_t kMost = std::int64_t{1} << 62;  // leaves room for rounding up
  TK_CHECK(bytes >= 0 && bytes <= kMost, "allocate: expected a size of 0 to 2^62 bytes, got ", bytes);
  return bytes == 0 ? nullptr : allocator_of(device).allocate(bytes);
}

void deallocate(Device device, void* data, std::int64_t bytes) noexcept {
  if (data != nullptr) allocator_of(device).deallocate(data, bytes);
}

}  // namespace tk
