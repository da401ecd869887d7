#pragma once

#include <cstdint>

namespace tk {

/// Bytes that the process may still take before it meets a limit of its own (`ulimit -v`, `-d`); the largest number
/// where it has none. Allocates nothing.
std::int64_t bytes_within_limits();

/// Bytes that the process may still take: what the machine has free, within those limits.
std::int64_t free_host_memory();

/// Has the peak of the process' memory, as the system reports it (VmHWM, ru_maxrss), begin anew with what it has now.
/// Does nothing where the system cannot.
void reset_peak_host_memory();

/// Whether the system would give so many bytes more in one piece.
bool can_map(std::int64_t bytes);

}  // namespace tk
