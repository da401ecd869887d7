#pragma once

#include <cstdint>

namespace tk {

/// Sequences of Purpose::kData: what is drawn for one thing shares no number with what is drawn for another.
inline constexpr std::uint32_t kCorpusSequence = 0;
inline constexpr std::uint32_t kHoldOutSequence = 1;
inline constexpr std::uint32_t kLengthSequence = 2;
inline constexpr std::uint32_t kMixSequence = 3;
inline constexpr std::uint32_t kWhichCorruptedSequence = 4;
/// Plus an example's id, which has 31 bits.
inline constexpr std::uint32_t kCorruptionSequence = 0x80000000;

}  // namespace tk
