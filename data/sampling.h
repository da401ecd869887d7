#pragma once

#include <cstdint>

#include "data/example.h"

namespace tk {

/// Takes `count` examples, tokenized or not, out of a split and returns them as another of the same file; both keep the
/// file's order. Which ones is named by the seed. Throws unless some are left.
Split hold_out(Split& split, std::int64_t count, std::uint64_t seed);

}  // namespace tk
