#pragma once

#include <cstdint>
#include <functional>

#include "tensor/device.h"

namespace tk {

/// The number of some work beside; later work has larger ones.
using BesideNumber = std::uint64_t;

/// Asks for `work` that nothing reads or writes after before join_beside(): it starts after what was asked for before,
/// and is done beside what is asked for later, so that either fills what the other leaves idle. Such work is done in
/// the order in which it was asked for. What `work` captures, and memory that it frees, is kept until it is done; of a
/// few at once, so that little is. May be recorded. Where a device does work as it is asked for, or a profile is taken,
/// it is simply done.
BesideNumber run_beside(Device device, std::function<void()> work);
/// The same, but asked for together with the next work beside, or when it is joined: what there is time for disturbs
/// nobody at the beginning.
BesideNumber run_beside_later(Device device, std::function<void()> work);

/// What is asked for from now on comes after all work beside, or after that up to a number.
void join_beside(Device device);
void join_beside(Device device, BesideNumber last);

}  // namespace tk
