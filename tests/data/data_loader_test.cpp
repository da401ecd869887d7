#include "data/data_loader.h"

#include <algorithm>
#include <numeric>

#include "tensor/error.h"
#include "tensor/random.h"
#include "tests/support/catch.h"

namespace tk {
namespace {

using Batches = std::vector<std::vector<std::int64_t>>;

std::vector<std::int64_t> random_lengths(std::size_t n) {
  Generator random(7, Purpose::kUser);
  std::vector<std::int64_t> lengths(n);
  for (std::int64_t& length : lengths) length = 3 + random.below(60);
  return lengths;
}

std::vector<std::int64_t> joined(const Batches& batches) {
  std::vector<std::int64_t> all;
  for (const auto& batch : batches) all.insert(all.end(), batch.begin(), batch.end());
  return all;
}

// What padding every batch to its longest sentence would add.
std::int64_t padding(const Batches& batches, const std::vector<std::int64_t>& lengths) {
  std::int64_t sum = 0;
  for (const auto& batch : batches) {
    std::int64_t longest = 0;
    for (const auto i : batch) longest = std::max(longest, lengths[i]);
    for (const auto i : batch) sum += longest - lengths[i];
  }
  return sum;
}

}  // namespace

TEST_CASE("random order: what benchmarks/peers/common.py draws for the same seed and epoch") {
  const Batches batches = epoch_batches(std::vector<std::int64_t>(320, 9), {.batch_size = 8, .seed = 42}, 1);
  CHECK(batches.front() == std::vector<std::int64_t>{145, 118, 128, 38, 296, 224, 137, 256});
}

TEST_CASE("epoch_batches: every example comes once, in every order and under every bound") {
  const auto lengths = random_lengths(1003);
  std::vector<std::int64_t> all(lengths.size());
  std::iota(all.begin(), all.end(), std::int64_t{0});
  for (const auto order :
       {BatchOrder::kRandom, BatchOrder::kSequential, BatchOrder::kGroupByLength, BatchOrder::kLongestFirst}) {
    for (const auto& [batch_size, max_tokens] : {std::pair{32, 0}, {0, 500}, {16, 500}, {1, 0}}) {
      CAPTURE(static_cast<int>(order), batch_size, max_tokens);
      const Batches batches = epoch_batches(lengths, {batch_size, max_tokens, order, 1}, 0);
      for (const auto& batch : batches) {
        std::int64_t tokens = 0;
        for (const auto i : batch) tokens += lengths[i];
        CHECK_FALSE(batch.empty());
        CHECK((batch_size == 0 || std::ssize(batch) <= batch_size));
        CHECK((max_tokens == 0 || tokens <= max_tokens));
      }
      auto sorted = joined(batches);
      std::sort(sorted.begin(), sorted.end());
      CHECK(sorted == all);
    }
  }
}

TEST_CASE("epoch_batches: an epoch is the same whatever was asked before, and differs from the next") {
  const auto lengths = random_lengths(500);
  const LoaderOptions options{8, 0, BatchOrder::kRandom, 42};
  const Batches third = epoch_batches(lengths, options, 3);
  epoch_batches(lengths, options, 0);
  CHECK(epoch_batches(lengths, options, 3) == third);
  CHECK(epoch_batches(lengths, options, 4) != third);
  CHECK(epoch_batches(lengths, {8, 0, BatchOrder::kRandom, 43}, 3) != third);
}

TEST_CASE("epoch_batches: sequential keeps the file's order") {
  CHECK(epoch_batches(std::vector<std::int64_t>{5, 1, 2, 9, 4}, {2, 0, BatchOrder::kSequential}, 1) ==
        Batches{{0, 1}, {2, 3}, {4}});
}

TEST_CASE("epoch_batches: longest first sorts all, equals in the file's order") {
  CHECK(epoch_batches(std::vector<std::int64_t>{5, 9, 2, 9, 5}, {2, 0, BatchOrder::kLongestFirst}, 1) ==
        Batches{{1, 3}, {0, 4}, {2}});
}

TEST_CASE("epoch_batches: a sentence longer than the bound is a batch by itself") {
  CHECK(epoch_batches(std::vector<std::int64_t>{4, 99, 4, 3}, {0, 10, BatchOrder::kSequential}, 0) ==
        Batches{{0}, {1}, {2, 3}});
}

TEST_CASE("epoch_batches: group_by_length puts the longest first and saves most of the padding") {
  const auto lengths = random_lengths(5000);
  const Batches random = epoch_batches(lengths, {32, 0, BatchOrder::kRandom, 5}, 0);
  const Batches grouped = epoch_batches(lengths, {32, 0, BatchOrder::kGroupByLength, 5}, 0);
  CHECK(lengths[grouped[0][0]] == *std::max_element(lengths.begin(), lengths.end()));
  CHECK(padding(grouped, lengths) * 5 < padding(random, lengths));
  CHECK(epoch_batches(lengths, {32, 0, BatchOrder::kGroupByLength, 5}, 1) != grouped);
}

TEST_CASE("epoch_batches: no examples give no batches") {
  for (const auto order : {BatchOrder::kRandom, BatchOrder::kGroupByLength, BatchOrder::kLongestFirst}) {
    CHECK(epoch_batches({}, {32, 100, order}, 0).empty());
  }
}

TEST_CASE("epoch_batches: without any bound it refuses") {
  CHECK_THROWS_AS(epoch_batches(std::vector<std::int64_t>{1}, {0, 0}, 0), Error);
  CHECK_THROWS_AS(epoch_batches(std::vector<std::int64_t>{1}, {-1, 5}, 0), Error);
}

TEST_CASE("batch order: Hugging Face's three names are offered, the evaluation's order is not") {
  CHECK(choice_names<BatchOrder>() == std::vector<std::string>{"random", "sequential", "group_by_length"});
  CHECK(find_choice<BatchOrder>("group_by_length") == BatchOrder::kGroupByLength);
  CHECK_FALSE(find_choice<BatchOrder>("sorted"));
  CHECK(std::string(choice_name(BatchOrder::kLongestFirst)).empty());
}

}  // namespace tk
