#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "tensor/choices.h"

namespace tk {

/// In which order the examples of an epoch come.
enum class BatchOrder {
  kRandom,
  kSequential,
  kGroupByLength,  ///< Hugging Face's: random groups of 50 batches, each sorted from long to short
  kLongestFirst    ///< all sorted from long to short: fewest operations for an evaluation
};

/// Those of Hugging Face's train_sampling_strategy.
inline constexpr Choice<BatchOrder> kBatchOrders[] = {{BatchOrder::kRandom, "random"},
                                                      {BatchOrder::kSequential, "sequential"},
                                                      {BatchOrder::kGroupByLength, "group_by_length"}};
inline Choices<BatchOrder> choices(BatchOrder) { return kBatchOrders; }

/// Sentences of a batch where nobody says otherwise.
inline constexpr std::int64_t kBatchSize = 32;

/// Tokens of a batch that a GPU evaluates where nobody says otherwise: what fills one, whatever the sentences' lengths.
inline constexpr std::int64_t kBatchTokens = 8192;

/// What a batch holds at most; 0: no bound.
struct BatchBounds {
  std::int64_t sentences = kBatchSize;
  std::int64_t tokens = 0;
};

/// How an epoch is cut into batches: a batch is full when one more sentence would exceed either bound.
struct LoaderOptions {
  std::int64_t batch_size = kBatchSize;  ///< sentences of a batch at most; 0 = no bound
  std::int64_t max_tokens = 0;  ///< tokens of a batch at most (a longer sentence is a batch by itself); 0 = no bound
  BatchOrder order = BatchOrder::kRandom;
  std::uint64_t seed = 42;
};

/// The batches of epoch `epoch`, as indices into `lengths` (tokens of each example). Every index occurs once. The
/// result depends on the arguments alone, so a resumed run asks for its epoch and leaves out the batches that it has
/// done. Throws when neither bound is given.
std::vector<std::vector<std::int64_t>> epoch_batches(std::span<const std::int64_t> lengths,
                                                     const LoaderOptions& options, std::int64_t epoch);

}  // namespace tk
