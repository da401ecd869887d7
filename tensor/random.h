#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include "tensor/device.h"

namespace tk {

/// Philox 4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011): four random words from a
/// 128-bit counter and a 64-bit key.
struct Philox {
  std::uint32_t word[4];
};

TK_HOST_DEVICE inline Philox philox(std::uint64_t key, std::uint32_t c0, std::uint32_t c1, std::uint32_t c2,
                                    std::uint32_t c3) {
  auto k0 = static_cast<std::uint32_t>(key);
  auto k1 = static_cast<std::uint32_t>(key >> 32);
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t p0 = std::uint64_t{0xD2511F53u} * c0;
    const std::uint64_t p1 = std::uint64_t{0xCD9E8D57u} * c2;
    c0 = static_cast<std::uint32_t>(p1 >> 32) ^ c1 ^ k0;
    c1 = static_cast<std::uint32_t>(p1);
    c2 = static_cast<std::uint32_t>(p0 >> 32) ^ c3 ^ k1;
    c3 = static_cast<std::uint32_t>(p0);
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  return {{c0, c1, c2, c3}};
}

/// A uniform number in the open interval (0, 1): 23 bits and a half, so neither 0 nor 1 can come out.
TK_HOST_DEVICE inline float open_uniform(std::uint32_t word) {
  return (static_cast<float>(word >> 9) + 0.5f) * 0x1p-23f;
}

/// What a stream of random numbers is for; part of the counter, so that no two purposes share a number.
enum class Purpose : std::uint8_t {
  kInit,
  kEmbeddingDropout,
  kAttentionDropout,
  kHiddenDropout,
  kGate,
  kHeadDropout,
  kShuffle,
  kData,
  kUser
};

/// Names a stream: purpose | layer | slot (several of one purpose in a layer, such as the three gates). The counter of
/// a number is (step, example, stream | original position, index / 4); key = seed.
struct Stream {
  Purpose purpose = Purpose::kUser;
  std::uint8_t layer = 0;
  std::uint8_t slot = 0;

  /// Purpose, layer and slot share the upper 16 bits; positions below 65536 fit beside them.
  TK_HOST_DEVICE std::uint32_t word() const {
    return (static_cast<std::uint32_t>(purpose) << 28) | ((slot & 0xfu) << 24) | (std::uint32_t{layer} << 16);
  }
};

/// A host-side sequence of random numbers with a position of its own (shuffling, synthetic data, initial weights).
class Generator {
 public:
  Generator(std::uint64_t seed, Purpose purpose, std::uint32_t sequence = 0)
      : seed_(seed), stream_(Stream{purpose}.word()), sequence_(sequence) {}

  std::uint32_t next_word();
  /// Uniform in (0, 1).
  float uniform() { return open_uniform(next_word()); }
  /// Standard normal (Box-Muller on two uniforms).
  float normal();
  /// Uniform in [0, bound) without bias; bound >= 1.
  std::uint32_t below(std::uint32_t bound);
  /// Shuffles by Fisher-Yates; the same on every platform.
  template <class Range>
  void shuffle(Range& range) {
    for (std::size_t i = range.size(); i > 1; --i) {
      std::swap(range[i - 1], range[below(static_cast<std::uint32_t>(i))]);
    }
  }

 private:
  std::uint64_t seed_;
  std::uint32_t stream_;
  std::uint32_t sequence_;
  std::uint64_t used_ = 0;
  Philox block_{};
};

}  // namespace tk
