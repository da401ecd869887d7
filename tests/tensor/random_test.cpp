#include "tensor/random.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

#include "tensor/ops/dropout.h"
#include "tensor/ops/gate.h"
#include "tests/support/catch.h"
#include "tests/support/tensors.h"

using namespace tk;
using namespace tk::test;

namespace {

std::vector<std::uint32_t> words(const Philox& block) { return {block.word, block.word + 4}; }

// 0 or 1 for each element that dropout zeroes or keeps.
Tensor mask(const DropoutKey& key, std::int64_t cols) {
  return dropout(full({key.example.numel(), cols}, 1), key).to(DType::kBool);
}

DropoutKey with_state(DropoutKey key, std::uint64_t seed, std::int64_t step) {
  StepState state;
  state.seed = seed;
  state.step = step;
  key.state = make_step_state(state);
  return key;
}

}  // namespace

TEST_CASE("philox: the known answers of Random123") {
  // tests/kat_vectors of the Random123 distribution: counters and keys of zeros, of ones, and of the digits of pi.
  CHECK(words(philox(0, 0, 0, 0, 0)) == std::vector<std::uint32_t>{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
  const std::uint32_t ones = 0xffffffff;
  CHECK(words(philox(~std::uint64_t{0}, ones, ones, ones, ones)) ==
        std::vector<std::uint32_t>{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
  CHECK(words(philox(0x299f31d0a4093822, 0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344)) ==
        std::vector<std::uint32_t>{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

TEST_CASE("open_uniform: strictly between 0 and 1, symmetric, in 2^23 equal steps") {
  CHECK(open_uniform(0) == 0x1p-24f);
  CHECK(open_uniform(0xffffffffu) == 1 - 0x1p-24f);
  CHECK(open_uniform(0x80000000u) == 0.5f + 0x1p-24f);
  unsigned wrong = 0;
  for (std::uint32_t i = 0; i < (1u << 23); i += 1021) {
    const std::uint32_t word = i << 9;
    wrong += open_uniform(word) != open_uniform(word | 511u);
    wrong += open_uniform(word) + open_uniform(~word) != 1.0f;
  }
  CHECK(wrong == 0);
}

TEST_CASE("stream: every purpose, layer and slot has its own word, and positions fit beside it") {
  std::set<std::uint32_t> seen;
  for (int purpose = 0; purpose <= static_cast<int>(Purpose::kUser); ++purpose) {
    for (int layer = 0; layer < 256; layer += 5) {
      for (int slot = 0; slot < 16; ++slot) {
        const Stream stream(static_cast<Purpose>(purpose), layer, slot);
        CHECK((stream.word() & 0xffffu) == 0);
        seen.insert(stream.word());
      }
    }
  }
  CHECK(seen.size() == 9u * 52u * 16u);
}

TEST_CASE("stream and make_packed: what would draw another stream's numbers is refused") {
  const auto stream = [](std::int64_t layer, std::int64_t slot) {
    return message_of([&] { Stream(Purpose::kGate, layer, slot); });
  };
  CHECK(stream(255, 15) == "no error");
  CHECK(stream(256, 0) == "Stream: expected a layer below 256, got 256");
  CHECK(stream(-1, 0) == "Stream: expected a layer below 256, got -1");
  CHECK(stream(0, 16) == "Stream: expected a slot below 16, got 16");
  CHECK(make_packed({65536}, {0}).tokens == 65536);
  CHECK(message_of([] {
          make_packed({1, 65537}, {0, 1});
        }) == "make_packed: sentence 1 has 65537 tokens; positions are below 65536");
}

TEST_CASE("generator: sequences are reproducible, and differ by seed, purpose and sequence") {
  const auto first = [](Generator generator) {
    std::vector<std::uint32_t> out;
    for (int i = 0; i < 10; ++i) out.push_back(generator.next_word());
    return out;
  };
  const auto base = first(Generator(1, Purpose::kUser));
  CHECK(first(Generator(1, Purpose::kUser)) == base);
  CHECK(first(Generator(2, Purpose::kUser)) != base);
  CHECK(first(Generator(1, Purpose::kShuffle)) != base);
  CHECK(first(Generator(1, Purpose::kUser, 1)) != base);
  CHECK(std::set<std::uint32_t>(base.begin(), base.end()).size() == 10);
}

TEST_CASE("generator: uniform, normal and bounded numbers have their moments") {
  Generator generator(3, Purpose::kUser);
  constexpr int kN = 100000;
  double uniform = 0, normal = 0, squares = 0, fourth = 0;
  std::vector<int> counts(7);
  for (int i = 0; i < kN; ++i) {
    uniform += generator.uniform();
    const double x = generator.normal();
    normal += x;
    squares += x * x;
    fourth += x * x * x * x;
    ++counts[generator.below(7)];
  }
  CHECK(uniform / kN == Approx(0.5).margin(5 * std::sqrt(1.0 / 12 / kN)));
  CHECK(normal / kN == Approx(0).margin(5 / std::sqrt(double{kN})));
  CHECK(squares / kN == Approx(1).margin(5 * std::sqrt(2.0 / kN)));
  CHECK(fourth / kN == Approx(3).margin(5 * std::sqrt(96.0 / kN)));
  for (const int count : counts) CHECK(count == Approx(kN / 7.0).margin(5 * std::sqrt(kN * 6.0 / 49)));
  CHECK(generator.below(1) == 0);
  CHECK(message_of([&] { generator.below(0); }) == "Generator::below: expected a bound of at least 1, got 0");
}

TEST_CASE("generator: a shuffle keeps all elements, and every place is equally likely") {
  std::vector<int> counts(5);
  for (std::uint32_t i = 0; i < 5000; ++i) {
    std::vector<int> x(5);
    std::iota(x.begin(), x.end(), 0);
    Generator(9, Purpose::kShuffle, i).shuffle(x);
    ++counts[static_cast<std::size_t>(std::find(x.begin(), x.end(), 0) - x.begin())];
    std::ranges::sort(x);
    if (x != std::vector<int>{0, 1, 2, 3, 4}) FAIL_CHECK("an element was lost");
  }
  for (const int count : counts) CHECK(count == Approx(1000).margin(5 * std::sqrt(800.0)));
}

TEST_CASE("dropout: the rate is p and what is kept is scaled to keep the mean") {
  const Packed packed = make_packed({200, 100}, {1, 2});
  for (const double p : {0.05, 0.1, 0.5, 0.9}) {
    const Tensor y = dropout(full({300, 331}, 1), dropout_key(p, packed));
    std::int64_t dropped = 0;
    unsigned wrong = 0;
    const auto scale = static_cast<float>(1 / (1 - p));
    for (const float x : y.to_vector<float>()) {
      dropped += x == 0;
      wrong += x != 0 && x != scale;
    }
    const auto n = static_cast<double>(y.numel());
    CHECK(static_cast<double>(dropped) / n == Approx(p).margin(5 * std::sqrt(p * (1 - p) / n)));
    CHECK(wrong == 0);
  }
}

TEST_CASE("dropout: an element is kept by word index % 4 of block index / 4 of its row's stream") {
  const Packed packed = make_packed({5}, {77});
  const DropoutKey key = dropout_key(0.25, packed, {Purpose::kHiddenDropout, 3, 1});
  const Tensor kept = mask(key, 11);
  const StepState& state = step_state(key.state);
  for (std::uint32_t row = 0; row < 5; ++row) {
    for (std::uint32_t i = 0; i < 11; ++i) {
      const Philox block =
          philox(state.seed, static_cast<std::uint32_t>(state.step), 77, key.stream.word() | row, i / 4);
      CHECK(kept.data<bool>()[11 * row + i] == (block.word[i % 4] >= 0x40000000u));
    }
  }
}

TEST_CASE("dropout: the mask follows seed, step, example, position and stream") {
  const Packed packed = make_packed({40}, {5});
  const DropoutKey key = dropout_key(0.5, packed, {Purpose::kHiddenDropout, 3, 1});
  const Tensor base = mask(key, 64);
  CHECK(same_bits(mask(with_state(key, 7, 3), 64), base));
  CHECK_FALSE(same_bits(mask(with_state(key, 8, 3), 64), base));
  CHECK_FALSE(same_bits(mask(with_state(key, (std::uint64_t{1} << 40) + 7, 3), 64), base));
  CHECK_FALSE(same_bits(mask(with_state(key, 7, 4), 64), base));
  for (const Stream other : {Stream{Purpose::kEmbeddingDropout, 3, 1}, Stream{Purpose::kHiddenDropout, 4, 1},
                             Stream{Purpose::kHiddenDropout, 3, 2}}) {
    DropoutKey changed = key;
    changed.stream = other;
    CHECK_FALSE(same_bits(mask(changed, 64), base));
  }
  CHECK_FALSE(same_bits(mask(dropout_key(0.5, make_packed({40}, {6}), key.stream), 64), base));
  CHECK_FALSE(same_bits(base.select(0, 0), base.select(0, 1)));
  CHECK(same_bits(mask(key, 30), base.narrow(1, 0, 30)));  // a feature's fate does not depend on how many there are
}

TEST_CASE("dropout and noise: a row draws the same numbers in any batch and after compaction") {
  const Packed together = make_packed({3, 40, 20}, {8, 5, 9});
  const Packed alone = make_packed({40}, {5});
  const Packed swapped = make_packed({20, 40}, {9, 5});
  const Tensor survivors = full({63}, 1, DType::kBool);
  for (const std::int64_t row : {0, 4, 5, 17, 42, 60}) survivors.data<bool>()[row] = false;
  const Kept kept = keep(together, survivors);

  const Stream stream{Purpose::kHiddenDropout, 2, 0};
  const Tensor all = mask(dropout_key(0.5, together, stream), 65);
  CHECK(same_bits(mask(dropout_key(0.5, alone, stream), 65), all.narrow(0, 3, 40)));
  CHECK(same_bits(mask(dropout_key(0.5, swapped, stream), 65).narrow(0, 20, 40), all.narrow(0, 3, 40)));
  const Tensor compacted = mask(dropout_key(0.5, kept.packed, stream), 65);
  const Tensor noise = logistic_noise(dropout_key(0, together, stream), 3);
  const Tensor compacted_noise = logistic_noise(dropout_key(0, kept.packed, stream), 3);
  for (std::int64_t i = 0; i < kept.packed.tokens; ++i) {
    const std::int64_t row = kept.rows.data<std::int32_t>()[i];
    if (!same_bits(compacted.select(0, i), all.select(0, row))) FAIL_CHECK("mask of row " << row);
    if (!same_bits(compacted_noise.select(0, i), noise.select(0, row))) FAIL_CHECK("noise of row " << row);
  }
}

TEST_CASE("dropout: what it needs is checked") {
  const Packed packed = make_packed({4}, {0});
  const Tensor x = zeros({4, 2});
  CHECK(message_of([&] { dropout(x, dropout_key(1, packed)); }) == "dropout: expected a dropout rate in [0, 1), got 1");
  CHECK(message_of([&] { dropout(x, dropout_key(-0.1, packed)); }) ==
        "dropout: expected a dropout rate in [0, 1), got -0.1");
  CHECK(message_of([&] {
          dropout(zeros({3, 2}), dropout_key(0.5, packed));
        }) == "dropout: expected ids of 3 rows for dropout, got [4] and [4]");
  DropoutKey stateless = dropout_key(0.5, packed);
  stateless.state = Tensor();
  CHECK(message_of([&] { dropout(x, stateless); }) == "dropout: dropout needs a step state");
  stateless.state = zeros({2});
  CHECK(message_of([&] { dropout(x, stateless); }) ==
        "step_state: expected a tensor from make_step_state, got float32 [2]");
  CHECK(dropout(x, {}).shares_storage(x));  // p = 0 reads nothing
}
