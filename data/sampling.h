#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "data/example.h"

namespace tk {

/// Takes `count` examples, tokenized or not, out of a split and returns them as another of the same file; both keep the
/// file's order. Which ones is named by the seed. Throws unless some are left.
Split hold_out(Split& split, std::int64_t count, std::uint64_t seed);

/// Takes examples of fewer than `least_tokens` tokens out of a tokenized split and returns how many these were. Throws
/// unless some are left.
std::int64_t drop_shorter(Split& split, std::int64_t least_tokens);

/// `count` of the candidates, none twice, drawn so that their lengths are distributed as those `wanted`: for each a
/// length of these is drawn, and of the candidates left one whose length is nearest, if that is within a tenth of it or
/// two tokens. Fewer where one draw in twenty finds none: more would have other lengths. `candidates` are their lengths,
/// the result their indices. Named by the seed.
std::vector<std::int64_t> draw_by_length(std::span<const std::int64_t> candidates, std::span<const std::int64_t> wanted,
                                         std::int64_t count, std::uint64_t seed);

/// The rows of an epoch, of which a share `own_share` in (0, 1) are rows 0 to own - 1 and the rest the `others` behind
/// them: each once, and those of the side that is too short as often as it takes. Where that is no whole number of
/// times the seed names the rows that come once more. Throws unless there are rows of both kinds.
std::vector<std::int64_t> mixed_rows(std::int64_t own, std::int64_t others, double own_share, std::uint64_t seed);

}  // namespace tk
