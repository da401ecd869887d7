#include "tensor/allocator.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <deque>
#include <mutex>

#include "tensor/backend.h"
#include "tensor/block_pool.h"
#include "tensor/error.h"

namespace tk {
namespace {

constexpr std::int64_t kMiB = 1 << 20;

constexpr std::int64_t round_up(std::int64_t bytes, std::int64_t step) { return (bytes + step - 1) / step * step; }

// The system backs only pages that were written, so blocks are whole and large ones cost nothing: sizes are rounded up,
// so that nearby shapes share blocks, to an eighth of their power of two, which loses at most 12.5 %, and from 64 KiB
// to the next power of two, which loses a page. The batches of an epoch, whose lengths differ, live in the memory of
// the longest one.
constexpr PoolPolicy kCpuPolicy = {
    .rounded =
        [](std::int64_t bytes) {
          const auto power = static_cast<std::int64_t>(std::bit_floor(static_cast<std::uint64_t>(bytes)));
          const bool large = bytes >= kMiB / 16;
          return round_up(bytes, large ? power : std::max<std::int64_t>(64, power / 8));
        },
    .chunk = [](std::int64_t size) { return size; },
    .small = 0,
    .splits = false};

// Every byte counts, and asking the system stops the device: blocks of all sizes share chunks, and nothing is rounded
// but to 512 bytes. The numbers hold least memory in training and recording a BERT-base step, within 2 % of what lives:
// a chunk has the size of several blocks, and what is larger than most of them leaves no rest that nobody fits into.
constexpr PoolPolicy kCudaPolicy = {.rounded = [](std::int64_t bytes) { return round_up(bytes, 512); },
                                    .chunk =
                                        [](std::int64_t size) {
                                          if (size < kMiB) return 2 * kMiB;
                                          return size < 10 * kMiB ? 24 * kMiB : round_up(size, 2 * kMiB);
                                        },
                                    .small = kMiB,
                                    .splits = true};

constexpr PerDevice<const PoolPolicy*> kPolicies{&kCpuPolicy, &kCudaPolicy};

// Where one queue's blocks come from. Graphs name the arena's, so these are never given back.
struct QueuePools {
  BlockPool ordinary;
  BlockPool arena;

  QueuePools(const PoolPolicy& policy, const BlockPool::System& system)
      : ordinary(policy, system), arena(policy, system) {}
};

class CachingAllocator {
 public:
  explicit CachingAllocator(Device device) : backend_(backend(device)), policy_(*kPolicies[device]) { use_queue(0); }

  void* allocate(std::int64_t bytes) {
    const std::lock_guard lock(mutex_);
    QueuePools& pools = queues_[queue_];
    void* const data = (in_arena_ ? pools.arena : pools.ordinary).allocate(bytes);
    stats_.allocated += policy_.rounded(bytes);
    stats_.peak_allocated = std::max(stats_.peak_allocated, stats_.allocated);
    return data;
  }

  void deallocate(void* data, std::int64_t bytes) noexcept {
    const std::lock_guard lock(mutex_);
    if (held_ != nullptr) return held_->push_back({data, bytes});
    stats_.allocated -= policy_.rounded(bytes);
    const bool found = std::ranges::any_of(
        queues_, [data](QueuePools& pools) { return pools.ordinary.deallocate(data) || pools.arena.deallocate(data); });
    assert(found);
    static_cast<void>(found);
  }

  void hold_freed(std::vector<FreedBlock>* held) {
    const std::lock_guard lock(mutex_);
    held_ = held;
  }

  void use_arena(bool use) {
    const std::lock_guard lock(mutex_);
    in_arena_ = use;
  }

  void use_queue(int queue) {
    TK_CHECK(queue >= 0, "use_queue: expected a queue from 0, got ", queue);
    const std::lock_guard lock(mutex_);
    queue_ = static_cast<std::size_t>(queue);
    while (queues_.size() <= queue_) {
      queues_.emplace_back(
          policy_, BlockPool::System{.allocate = [this](std::int64_t size) { return from_system(size); },
                                     .deallocate = [this](void* data, std::int64_t size) { to_system(data, size); }});
    }
  }

  void release_cached(std::int64_t at_least) {
    const std::lock_guard lock(mutex_);
    std::int64_t cached = 0;
    for (const QueuePools& pools : queues_) cached += pools.ordinary.releasable();
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

  void to_system(void* data, std::int64_t size) {
    backend_.deallocate(data);
    stats_.reserved -= size;
  }

  void free_cached() {
    for (QueuePools& pools : queues_) pools.ordinary.release();
  }

  const Backend& backend_;
  const PoolPolicy& policy_;
  std::mutex mutex_;
  std::deque<QueuePools> queues_;
  std::size_t queue_ = 0;
  bool in_arena_ = false;
  std::vector<FreedBlock>* held_ = nullptr;  // where blocks go that are returned; null: back to their pool
  AllocatorStats stats_;
};

// Never destroyed: tensors with static lifetime may outlive any order of destruction.
template <Device device>
CachingAllocator& allocator() {
  static CachingAllocator* const allocator = new CachingAllocator(device);
  return *allocator;
}

CachingAllocator& allocator_of(Device device) {
  static constexpr PerDevice<CachingAllocator& (*)()> kAllocators{allocator<Device::kCpu>, allocator<Device::kCuda>};
  return kAllocators[device]();
}

}  // namespace

AllocatorStats allocator_stats(Device device) { return allocator_of(device).stats(); }

void reset_peak(Device device) { allocator_of(device).reset_peak(); }

void use_arena(Device device, bool use) { allocator_of(device).use_arena(use); }

void use_queue(Device device, int queue) { allocator_of(device).use_queue(queue); }

void release_cached(Device device, std::int64_t at_least) { allocator_of(device).release_cached(at_least); }

void* allocate(Device device, std::int64_t bytes) {
  constexpr std::int64_t kMost = std::int64_t{1} << 62;  // leaves room for rounding up
  TK_CHECK(bytes >= 0 && bytes <= kMost, "allocate: expected a size of 0 to 2^62 bytes, got ", bytes);
  return bytes == 0 ? nullptr : allocator_of(device).allocate(bytes);
}

void deallocate(Device device, void* data, std::int64_t bytes) noexcept {
  if (data != nullptr) allocator_of(device).deallocate(data, bytes);
}

void hold_freed(Device device, std::vector<FreedBlock>* held) { allocator_of(device).hold_freed(held); }

}  // namespace tk
