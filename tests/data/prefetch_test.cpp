#include "data/prefetch.h"

#include <atomic>
#include <memory>
#include <numeric>
#include <vector>

#include "data/batch.h"
#include "tests/support/catch.h"

namespace tk {
namespace {

TEST_CASE("prefetch: items come in order, and each is made once, here or on another thread") {
  for (const bool ahead : {false, true}) {
    INFO((ahead ? "ahead" : "here"));
    std::vector<std::int64_t> made;
    Prefetch<std::unique_ptr<std::int64_t>> items(100, ahead, [&](std::int64_t i) {
      made.push_back(i);
      return std::make_unique<std::int64_t>(10 * i);
    });
    for (std::int64_t i = 0; i < 100; ++i) CHECK(*items.next() == 10 * i);
    CHECK_THROWS_WITH(items.next(), ContainsSubstring("all 100 items were given"));
    std::vector<std::int64_t> expected(100);
    std::iota(expected.begin(), expected.end(), 0);
    CHECK(made == expected);
  }
}

TEST_CASE("prefetch: without another thread an item is made when it is asked for") {
  std::int64_t made = 0;
  Prefetch<int> items(5, false, [&](std::int64_t) { return static_cast<int>(++made); });
  CHECK(made == 0);
  items.next();
  CHECK(made == 1);
}

TEST_CASE("prefetch: the other thread makes the next item while this one is used, with one thread for its kernels") {
  const int threads = num_threads();
  set_num_threads(3);
  std::promise<std::thread::id> second;
  Prefetch<int> items(2, true, [&](std::int64_t i) {
    if (i == 1) second.set_value(std::this_thread::get_id());
    return num_threads();
  });
  CHECK(items.next() == 1);
  CHECK(second.get_future().get() != std::this_thread::get_id());  // nobody has asked for it
  CHECK(items.next() == 1);
  CHECK(num_threads() == 3);
  set_num_threads(threads);
}

TEST_CASE("prefetch: what an item throws reaches who asks for it, after the items before it") {
  for (const bool ahead : {false, true}) {
    Prefetch<std::int64_t> items(4, ahead, [](std::int64_t i) {
      TK_CHECK(i != 2, "item ", i, " is bad");
      return i;
    });
    CHECK(items.next() == 0);
    CHECK(items.next() == 1);
    CHECK_THROWS_WITH(items.next(), "item 2 is bad");
    CHECK(items.next() == 3);
  }
}

TEST_CASE("prefetch: given up early, it makes at most the two items that it may be ahead") {
  std::atomic<std::int64_t> made = 0;
  for (const std::int64_t asked : {0, 1, 5}) {
    made = 0;
    {
      Prefetch<std::int64_t> items(1000, true, [&](std::int64_t i) {
        ++made;
        return i;
      });
      for (std::int64_t i = 0; i < asked; ++i) items.next();
    }
    CHECK(made >= asked);
    CHECK(made <= asked + 2);
  }
}

TEST_CASE("prefetch: batches made on another thread are those made here") {
  std::vector<TokenizedExample> examples(64);
  for (std::size_t i = 0; i < examples.size(); ++i) {
    examples[i].id = static_cast<std::int32_t>(i);
    examples[i].ids.assign(5 + 37 * i % 50, static_cast<std::int32_t>(i));
    examples[i].token_types.assign(examples[i].ids.size(), static_cast<std::int32_t>(i % 2));
  }
  const auto make = [&](std::int64_t i) {
    return make_batch(examples, std::vector{i, 63 - i, (i + 20) % 64}, TaskKind::kClassification);
  };
  Prefetch<Batch> ahead(32, true, make);
  for (std::int64_t i = 0; i < 32; ++i) {
    const Batch got = ahead.next(), expected = make(i);  // the same allocator serves both threads
    CHECK(got.lengths == expected.lengths);
    CHECK(got.memory.to_vector<std::int32_t>() == expected.memory.to_vector<std::int32_t>());
  }
}

}  // namespace
}  // namespace tk
