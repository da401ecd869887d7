#pragma once

#include <bit>
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

/// The blocks of a key and counters (c0, c1, c2, c3) that differ in c3 alone. In the first three of the ten rounds most
/// of what c3 does not reach is the same for all of them; it is computed once.
class PhiloxRow {
 public:
  PhiloxRow() = default;
  TK_HOST_DEVICE PhiloxRow(std::uint64_t key, std::uint32_t c0, std::uint32_t c1, std::uint32_t c2)
      : k0_(static_cast<std::uint32_t>(key)), k1_(static_cast<std::uint32_t>(key >> 32)) {
    const WideProduct p0 = times0(c0), p1 = times1(c2);
    mask1_ = p0.high ^ k1_;  // round 1, of c2 but for c3
    const WideProduct q0 = times0(p1.high ^ c1 ^ k0_);
    next_keys();
    mask2_ = p1.low ^ k0_;  // round 2, of c0 but for c3
    const WideProduct r1 = times1(q0.high ^ p0.low ^ k1_);
    next_keys();
    mask3_[0] = r1.high ^ k0_;  // round 3
    mask3_[1] = r1.low;
    mask3_[2] = q0.low ^ k1_;
    next_keys();
  }

  TK_HOST_DEVICE Philox words(std::uint32_t c3) const {
    const WideProduct p1 = times1(mask1_ ^ c3);
    const WideProduct p0 = times0(p1.high ^ mask2_);
    Philox c{{p1.low ^ mask3_[0], mask3_[1], p0.high ^ mask3_[2], p0.low}};
    std::uint32_t k0 = k0_, k1 = k1_;
    for (int round = 3; round < 10; ++round) {
      const WideProduct q0 = times0(c.word[0]), q1 = times1(c.word[2]);
      c = {{q1.high ^ c.word[1] ^ k0, q1.low, q0.high ^ c.word[3] ^ k1, q0.low}};
      k0 += kWeyl0;
      k1 += kWeyl1;
    }
    return c;
  }

 private:
  static constexpr std::uint32_t kWeyl0 = 0x9E3779B9u, kWeyl1 = 0xBB67AE85u;

  TK_HOST_DEVICE static WideProduct times0(std::uint32_t x) { return wide_product(0xD2511F53u, x); }
  TK_HOST_DEVICE static WideProduct times1(std::uint32_t x) { return wide_product(0xCD9E8D57u, x); }
  TK_HOST_DEVICE void next_keys() {
    k0_ += kWeyl0;
    k1_ += kWeyl1;
  }

  std::uint32_t k0_, k1_;  // of round 4
  std::uint32_t mask1_, mask2_, mask3_[3];
};

TK_HOST_DEVICE Philox philox(std::uint64_t key, std::uint32_t c0, std::uint32_t c1, std::uint32_t c2,
                             std::uint32_t c3) {
  return PhiloxRow(key, c0, c1, c2).words(c3);
}

/// A uniform number in the open interval (0, 1): 23 bits and a half, so neither 0 nor 1 can come out. The bits are
/// written behind those of 1, from which half a step less than 1 is taken exactly: a conversion would take longer.
TK_HOST_DEVICE float open_uniform(std::uint32_t word) {
  return std::bit_cast<float>(0x3f800000u | word >> 9) - (1.0f - 0x1p-24f);
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
  kUser,
  kBudget
};

/// Names a stream: purpose | layer | slot (several of one purpose in a layer, such as the three gates). The counter of
/// a number is (step, example, stream | original position, index / 4); key = seed.
class Stream {
 public:
  static constexpr std::int64_t kLayers = 256;
  static constexpr std::int64_t kSlots = 16;
  static constexpr std::int64_t kPositions = 65536;

  /// Throws unless layer and slot are below those bounds: beyond them numbers of other streams would come again.
  Stream(Purpose purpose = Purpose::kUser, std::int64_t layer = 0, std::int64_t slot = 0);

  /// Purpose, layer and slot share the upper 16 bits; positions below kPositions fit beside them.
  std::uint32_t word() const { return word_; }

 private:
  std::uint32_t word_;
};

/// A host-side sequence of random numbers with a position of its own (shuffling, synthetic data, initial weights).
class Generator {
 public:
  Generator(std::uint64_t seed, Purpose purpose, std::uint32_t sequence = 0)
      : seed_(seed), stream_(Stream(purpose).word()), sequence_(sequence) {}

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
