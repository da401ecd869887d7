#pragma once

#include <cstdint>

#include "data/example.h"
#include "data/neighbours.h"

namespace tk {

/// The example with one or two changes in one of its texts: a token deleted, doubled, swapped with one at most three
/// places away, or replaced by one of its neighbours. [CLS] and every text's [SEP] stay, no text becomes empty, and the
/// example does not grow beyond `max_length` tokens. It has no label any more. Seed and the example's id name the
/// changes. Throws unless the tokens are [CLS] A [SEP] or [CLS] A [SEP] B [SEP].
TokenizedExample corrupted(const TokenizedExample& example, const Neighbours& neighbours, std::int64_t max_length,
                           std::uint64_t seed);

}  // namespace tk
