#include "data/corrupt.h"

#include <algorithm>
#include <set>

#include "tensor/error.h"
#include "tests/support/catch.h"
#include "tests/support/tensors.h"

namespace tk {
namespace {

using Ids = std::vector<std::int32_t>;

constexpr std::int32_t kCls = 2, kSep = 3;

TokenizedExample example_of(std::int32_t id, const Ids& a) {
  TokenizedExample example{.id = id, .ids = {kCls}, .token_types = {}, .label = 1};
  example.ids.insert(example.ids.end(), a.begin(), a.end());
  example.ids.push_back(kSep);
  example.token_types.assign(example.ids.size(), 0);
  return example;
}

TokenizedExample pair_of(std::int32_t id, const Ids& a, const Ids& b) {
  TokenizedExample example = example_of(id, a);
  example.ids.insert(example.ids.end(), b.begin(), b.end());
  example.ids.push_back(kSep);
  example.token_types.resize(example.ids.size(), 1);
  return example;
}

// Tokens 10 to 29 are near each other, 30 to 39 have no neighbours.
Neighbours some_neighbours() {
  Ids near;
  for (std::int32_t i = 10; i < 30; ++i) near.push_back(i);
  return Neighbours(test::random_normal({40, 4}, 1), near, near, 3);
}

// The tokens of type `type` without their [SEP], and [CLS].
Ids text_of(const TokenizedExample& example, std::int32_t type) {
  Ids text;
  for (std::size_t i = 0; i < example.ids.size(); ++i) {
    if (example.token_types[i] == type) text.push_back(example.ids[i]);
  }
  REQUIRE(text.back() == kSep);
  text.pop_back();
  if (type == 0) {
    REQUIRE(text.front() == kCls);
    text.erase(text.begin());
  }
  return text;
}

}  // namespace

TEST_CASE("corrupted: [CLS] and [SEP] stay, one text of a pair changes by one or two steps, and the label goes") {
  const Neighbours neighbours = some_neighbours();
  const Ids a = {10, 31, 12, 13, 34, 15}, b = {20, 21, 22, 33};
  std::set<Ids> results;
  int changed_a = 0, changed_b = 0;
  for (std::int32_t id = 0; id < 400; ++id) {
    const TokenizedExample before = pair_of(id, a, b);
    const TokenizedExample after = corrupted(before, neighbours, 64, 9);
    CHECK(after.id == id);
    CHECK(after.label == -1);
    REQUIRE(after.ids.size() == after.token_types.size());
    CHECK(std::ranges::is_sorted(after.token_types));
    CHECK(std::ranges::count(after.ids, kCls) == 1);
    CHECK(std::ranges::count(after.ids, kSep) == 2);
    const Ids new_a = text_of(after, 0), new_b = text_of(after, 1);
    CHECK((new_a == a || new_b == b));
    changed_a += new_a != a;
    changed_b += new_b != b;
    CHECK(std::abs(std::ssize(after.ids) - std::ssize(before.ids)) <= 2);
    results.insert(after.ids);
  }
  CHECK(changed_a > 150);
  CHECK(changed_b > 150);
  CHECK(results.size() > 150);
}

TEST_CASE("corrupted: every change comes, a token only becomes one of its neighbours, and swaps reach three places") {
  const Neighbours neighbours = some_neighbours();
  const Ids text = {10, 30, 31, 32, 33, 34, 35, 36, 37, 38};
  bool deleted = false, doubled = false, swapped = false, replaced = false;
  for (std::int32_t id = 0; id < 400; ++id) {
    const Ids after = text_of(corrupted(example_of(id, text), neighbours, 64, 3), 0);
    deleted |= std::ssize(after) < std::ssize(text);
    doubled |= std::ssize(after) > std::ssize(text);
    if (after.size() != text.size()) continue;
    Ids sorted = after;
    std::ranges::sort(sorted);
    swapped |= after != text && sorted == text;
    for (std::size_t i = 0; i < text.size(); ++i) {
      if (std::ranges::find(text, after[i]) == text.end()) {
        const auto first = neighbours.of(10);
        const auto is_near = [&](std::int32_t of) { return std::ranges::count(neighbours.of(of), after[i]) > 0; };
        // It is 10's neighbour, or that of one.
        CHECK((is_near(10) || std::ranges::any_of(first, is_near)));
        replaced = true;
      } else {
        const auto before = std::ranges::find(text, after[i]) - text.begin();
        CHECK(std::abs(static_cast<std::ptrdiff_t>(i) - before) <= 6);  // two swaps
      }
    }
  }
  CHECK(deleted);
  CHECK(doubled);
  CHECK(swapped);
  CHECK(replaced);
}

TEST_CASE("corrupted: seed and example name it") {
  const Neighbours neighbours = some_neighbours();
  const Ids text = {10, 11, 12, 13, 14, 15, 16, 17, 18, 19};
  const auto of = [&](std::int32_t id, std::uint64_t seed) {
    return corrupted(example_of(id, text), neighbours, 64, seed).ids;
  };
  int by_seed = 0, by_id = 0;
  for (std::int32_t id = 0; id < 20; ++id) {
    CHECK(of(id, 1) == of(id, 1));
    by_seed += of(id, 1) != of(id, 2);
    by_id += of(id, 1) != of(id + 20, 1);
  }
  CHECK(by_seed > 15);
  CHECK(by_id > 15);
}

TEST_CASE("corrupted: nothing grows beyond the longest length, no text becomes empty, and empty texts stay") {
  const Neighbours none;
  int grown = 0;
  for (std::int32_t id = 0; id < 50; ++id) {
    CHECK(corrupted(example_of(id, {10, 11, 12}), none, 5, 1).ids.size() <= 5);
    const TokenizedExample one = example_of(id, {10});
    CHECK(corrupted(one, none, 3, 1).ids == one.ids);                   // nothing is possible
    const std::size_t doubled = corrupted(one, none, 9, 1).ids.size();  // at first it can only be
    CHECK((doubled == 3 || doubled == 4 || doubled == 5));
    grown += doubled > 3;
    const TokenizedExample empty = example_of(id, {});
    CHECK(corrupted(empty, none, 9, 1).ids == empty.ids);
    const TokenizedExample half = pair_of(id, {}, {10, 11});
    CHECK(text_of(corrupted(half, none, 9, 1), 0).empty());
    CHECK_FALSE(text_of(corrupted(half, none, 9, 1), 1).empty());
  }
  CHECK(grown > 30);
  CHECK_THROWS_AS(corrupted({.id = 4, .ids = {kCls}, .token_types = {0}}, none, 9, 1), Error);
}

}  // namespace tk
