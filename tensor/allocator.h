#pragma once

#include <cstdint>
#include <vector>

#include "tensor/device.h"

namespace tk {

/// Counters of a device's caching allocator, in bytes and calls since the start. Sizes are rounded ones.
struct AllocatorStats {
  std::int64_t allocated = 0;           ///< bytes handed out now
  std::int64_t peak_allocated = 0;      ///< most bytes handed out at once since the last reset_peak
  std::int64_t reserved = 0;            ///< bytes held from the system, handed out or cached
  std::int64_t peak_reserved = 0;       ///< most bytes held at once since the last reset_peak
  std::int64_t system_allocations = 0;  ///< requests that the cache could not serve
};

AllocatorStats allocator_stats(Device device);
/// Sets the peaks to what is handed out and held now.
void reset_peak(Device device);
/// Gives back to the system what it gave and nobody uses any part of, if that is at least so many bytes.
void release_cached(Device device, std::int64_t at_least = 0);

/// Whether allocations from now on come from the arena of captures, whose blocks eager code never gets.
void use_arena(Device device, bool use);
/// Allocations from now on come from the cache and the arena of this queue (0 at the start): work that runs beside
/// other work gets no memory that the other may still be using. A block goes back to where it came from.
void use_queue(Device device, int queue);

/// A block of at least `bytes`, aligned to 64 bytes; null for 0. Blocks come from a cache, so a step whose shapes were
/// seen before asks the system for nothing. Throws tk::Error with the sizes when memory runs out.
void* allocate(Device device, std::int64_t bytes);
/// Returns a block that `allocate` gave for the same `bytes`.
void deallocate(Device device, void* data, std::int64_t bytes) noexcept;

/// What `deallocate` was called with.
struct FreedBlock {
  void* data;
  std::int64_t bytes;
};
/// Blocks that are returned from now on are not handed out again, but noted in `held`; with null, ordinary again.
void hold_freed(Device device, std::vector<FreedBlock>* held);

}  // namespace tk
