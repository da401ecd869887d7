#include "data/sampling.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <map>
#include <numeric>
#include <utility>

#include "data/sequences.h"
#include "tensor/error.h"
#include "tensor/random.h"

namespace tk {
namespace {

std::vector<std::int64_t> shuffled(std::int64_t n, Generator& random) {
  std::vector<std::int64_t> indices(static_cast<std::size_t>(n));
  std::iota(indices.begin(), indices.end(), std::int64_t{0});
  random.shuffle(indices);
  return indices;
}

// Moves what `taken` marks out of `from`.
template <class T>
std::vector<T> take(std::vector<T>& from, const std::vector<bool>& taken) {
  std::vector<T> parts[2];
  for (std::size_t i = 0; i < from.size(); ++i) parts[taken[i] ? 1 : 0].push_back(std::move(from[i]));
  from = std::move(parts[0]);
  return std::move(parts[1]);
}

using Buckets = std::map<std::int64_t, std::vector<std::int64_t>>;  // indices by length

// The bucket of the length nearest to `length`, of two the shorter.
Buckets::iterator nearest(Buckets& buckets, std::int64_t length) {
  const auto longer = buckets.lower_bound(length);
  if (longer == buckets.begin()) return longer;
  const auto shorter = std::prev(longer);
  return longer == buckets.end() || length - shorter->first <= longer->first - length ? shorter : longer;
}

// `count` rows of the n from `first` on: all of them again and again, and at last as many as are wanted.
void append_repeated(std::vector<std::int64_t>& rows, std::int64_t first, std::int64_t n, std::int64_t count,
                     Generator& random) {
  for (; count >= n; count -= n) {
    for (std::int64_t i = 0; i < n; ++i) rows.push_back(first + i);
  }
  const std::vector<std::int64_t> order = shuffled(n, random);
  for (std::int64_t i = 0; i < count; ++i) rows.push_back(first + order[i]);
}

}  // namespace

Split hold_out(Split& split, std::int64_t count, std::uint64_t seed) {
  TK_CHECK(count >= 0 && count < split.size(), "hold_out: expected to leave some of ", split.size(), " examples, got ",
           count, " to take");
  Generator random(seed, Purpose::kData, kHoldOutSequence);
  std::vector<bool> taken(split.examples.size());
  const std::vector<std::int64_t> order = shuffled(split.size(), random);
  for (std::int64_t i = 0; i < count; ++i) taken[order[i]] = true;
  Split held{.path = split.path, .suffix = split.suffix, .note = split.note};
  held.examples = take(split.examples, taken);
  if (!split.tokenized.empty()) held.tokenized = take(split.tokenized, taken);
  return held;
}

std::int64_t drop_shorter(Split& split, std::int64_t least_tokens) {
  std::vector<bool> dropped;
  for (const std::int64_t length : lengths_of(split.tokenized)) dropped.push_back(length < least_tokens);
  const std::int64_t count = std::ranges::count(dropped, true);
  TK_CHECK(count == 0 || count < split.size(), split.path.string(), ": no example has ", least_tokens, " tokens");
  take(split.examples, dropped);
  take(split.tokenized, dropped);
  return count;
}

std::vector<std::int64_t> draw_by_length(std::span<const std::int64_t> candidates, std::span<const std::int64_t> wanted,
                                         std::int64_t count, std::uint64_t seed) {
  constexpr std::int64_t kFewMisses = 10, kOneIn = 20;
  TK_CHECK(!wanted.empty(), "draw_by_length: expected lengths to draw from, got none");
  Generator random(seed, Purpose::kData, kLengthSequence);
  Buckets buckets;
  for (const std::int64_t i : shuffled(std::ssize(candidates), random)) buckets[candidates[i]].push_back(i);
  std::vector<std::int64_t> drawn;
  std::int64_t misses = 0;
  while (std::ssize(drawn) < count && !buckets.empty() && misses <= kFewMisses + std::ssize(drawn) / kOneIn) {
    const std::int64_t length = wanted[random.below(static_cast<std::uint32_t>(wanted.size()))];
    const auto bucket = nearest(buckets, length);
    if (std::abs(bucket->first - length) > std::max<std::int64_t>(2, length / 10)) {
      ++misses;
      continue;
    }
    drawn.push_back(bucket->second.back());
    bucket->second.pop_back();
    if (bucket->second.empty()) buckets.erase(bucket);
  }
  return drawn;
}

std::vector<std::int64_t> mixed_rows(std::int64_t own, std::int64_t others, double own_share, std::uint64_t seed) {
  TK_CHECK(own > 0 && others > 0 && own_share > 0 && own_share < 1, "mixed_rows: expected rows of both kinds and a ",
           "share in (0, 1), got ", own, ", ", others, " and ", own_share);
  Generator random(seed, Purpose::kData, kMixSequence);
  const double odds = own_share / (1 - own_share);  // own rows for one of the others
  const std::int64_t wanted_own = std::max<std::int64_t>(own, std::llround(static_cast<double>(others) * odds));
  const std::int64_t wanted_others = std::max<std::int64_t>(others, std::llround(static_cast<double>(own) / odds));
  std::vector<std::int64_t> rows;
  append_repeated(rows, 0, own, wanted_own, random);
  append_repeated(rows, own, others, wanted_others, random);
  return rows;
}

}  // namespace tk
