#include "data/data_loader.h"

#include <algorithm>
#include <numeric>

#include "tensor/error.h"
#include "tensor/random.h"

namespace tk {
namespace {

using Indices = std::vector<std::int64_t>;
using Lengths = std::span<const std::int64_t>;

Indices shuffled(std::size_t n, std::uint64_t seed, std::int64_t epoch) {
  Indices indices(n);
  std::iota(indices.begin(), indices.end(), std::int64_t{0});
  Generator(seed, Purpose::kShuffle, static_cast<std::uint32_t>(epoch)).shuffle(indices);
  return indices;
}

void sort_longest_first(std::span<std::int64_t> indices, Lengths lengths) {
  std::stable_sort(indices.begin(), indices.end(),
                   [&](std::int64_t a, std::int64_t b) { return lengths[a] > lengths[b]; });
}

// Sentences of a typical batch, also where only the tokens are bounded.
std::int64_t typical_batch(Lengths lengths, const LoaderOptions& options) {
  const std::int64_t tokens = std::accumulate(lengths.begin(), lengths.end(), std::int64_t{0});
  const auto n = std::ssize(lengths);
  std::int64_t size = options.batch_size > 0 ? options.batch_size : n;
  if (options.max_tokens > 0 && tokens > 0) size = std::min(size, options.max_tokens * n / tokens);
  return std::max<std::int64_t>(size, 1);
}

// As get_length_grouped_indices of transformers' trainer_pt_utils: groups of 50 batches (fewer when there are fewer
// than 200), and the longest example of all comes first, so that memory runs out at once or never.
Indices grouped_by_length(Indices indices, Lengths lengths, std::int64_t batch_size) {
  const std::int64_t n = std::ssize(indices);
  const std::int64_t batches = std::clamp<std::int64_t>(n / (batch_size * 4), 1, 50);
  const std::int64_t group = batches * batch_size;
  std::int64_t longest = 0;
  for (std::int64_t start = 0; start < n; start += group) {
    const std::int64_t size = std::min(group, n - start);
    sort_longest_first(std::span(indices).subspan(start, size), lengths);
    if (lengths[indices[start]] > lengths[indices[longest]]) longest = start;
  }
  if (n > 0) std::swap(indices[0], indices[longest]);
  return indices;
}

Indices ordered(Lengths lengths, const LoaderOptions& options, std::int64_t epoch) {
  Indices indices;
  switch (options.order) {
    case BatchOrder::kRandom:
      return shuffled(lengths.size(), options.seed, epoch);
    case BatchOrder::kGroupByLength:
      return grouped_by_length(shuffled(lengths.size(), options.seed, epoch), lengths, typical_batch(lengths, options));
    case BatchOrder::kSequential:
    case BatchOrder::kLongestFirst:
      break;
  }
  indices.resize(lengths.size());
  std::iota(indices.begin(), indices.end(), std::int64_t{0});
  if (options.order == BatchOrder::kLongestFirst) sort_longest_first(indices, lengths);
  return indices;
}

}  // namespace

std::vector<std::vector<std::int64_t>> epoch_batches(Lengths lengths, const LoaderOptions& options,
                                                     std::int64_t epoch) {
  TK_CHECK(options.batch_size >= 0 && options.max_tokens >= 0 && options.batch_size + options.max_tokens > 0,
           "epoch_batches: expected a bound of sentences or tokens, got batch_size ", options.batch_size,
           " and max_tokens ", options.max_tokens);
  std::vector<std::vector<std::int64_t>> batches;
  std::int64_t tokens = 0;
  for (const std::int64_t i : ordered(lengths, options, epoch)) {
    const bool full =
        !batches.empty() && ((options.batch_size > 0 && std::ssize(batches.back()) == options.batch_size) ||
                             (options.max_tokens > 0 && tokens + lengths[i] > options.max_tokens));
    if (batches.empty() || full) {
      batches.emplace_back();
      tokens = 0;
    }
    batches.back().push_back(i);
    tokens += lengths[i];
  }
  return batches;
}

}  // namespace tk
