#include "data/sampling.h"

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

}  // namespace tk
