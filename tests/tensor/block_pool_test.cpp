#include "tensor/block_pool.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <memory>
#include <random>
#include <utility>
#include <vector>

#include "tests/support/catch.h"

using namespace tk;

namespace {

using Sizes = std::vector<std::int64_t>;

// Sizes to 16 bytes; from 32 bytes in chunks of 1024, from 512 in chunks of their own; smaller ones in chunks of 64.
constexpr PoolPolicy kSplitting = {.rounded = [](std::int64_t bytes) { return (bytes + 15) / 16 * 16; },
                                   .chunk = [](std::int64_t size) -> std::int64_t {
                                     if (size < 32) return 64;
                                     return size < 512 ? 1024 : size;
                                   },
                                   .small = 32,
                                   .splits = true};
constexpr PoolPolicy kWhole = {
    .rounded = kSplitting.rounded, .chunk = [](std::int64_t size) { return size; }, .small = 0, .splits = false};

// A pool and the chunks that it got, in the order in which it asked.
struct Fixture {
  struct Chunk {
    char* data;
    std::int64_t bytes;
  };
  std::vector<Chunk> chunks;  // null once given back
  std::int64_t held = 0;
  BlockPool pool;

  explicit Fixture(const PoolPolicy& policy = kSplitting)
      : pool(policy, {.allocate = [this](std::int64_t bytes) { return add_chunk(bytes); },
                      .deallocate = [this](void* data, std::int64_t bytes) { remove_chunk(data, bytes); }}) {}
  ~Fixture() {
    for (const Chunk& chunk : chunks) std::free(chunk.data);
  }

  void* add_chunk(std::int64_t bytes) {
    chunks.push_back({static_cast<char*>(std::aligned_alloc(16, static_cast<std::size_t>(bytes))), bytes});
    held += bytes;
    return chunks.back().data;
  }

  void remove_chunk(void* data, std::int64_t bytes) {
    const auto found = std::ranges::find(chunks, data, &Chunk::data);
    REQUIRE(found != chunks.end());
    REQUIRE(found->bytes == bytes);
    std::free(std::exchange(found->data, nullptr));
    held -= bytes;
  }

  // 10000 * chunk + offset of a block
  std::int64_t place(const void* block) const {
    for (std::size_t i = 0; i < chunks.size(); ++i) {
      const auto offset = reinterpret_cast<std::intptr_t>(block) - reinterpret_cast<std::intptr_t>(chunks[i].data);
      if (chunks[i].data != nullptr && offset >= 0 && offset < chunks[i].bytes) {
        return 10000 * static_cast<std::int64_t>(i) + offset;
      }
    }
    return -1;
  }

  std::vector<void*> take(const Sizes& sizes) {
    std::vector<void*> blocks;
    for (const std::int64_t size : sizes) blocks.push_back(pool.allocate(size));
    return blocks;
  }

  Sizes places(const std::vector<void*>& blocks) const {
    Sizes all;
    for (const void* block : blocks) all.push_back(place(block));
    return all;
  }
};

// Random requests against a list of what is in use: returns where they were, in order.
Sizes random_requests(Fixture& f, std::uint32_t seed) {
  std::mt19937 random(seed);
  std::map<char*, std::int64_t> used;  // sizes
  std::vector<char*> blocks;           // the same, in the order of requests
  Sizes places;
  for (int i = 0; i < 3000; ++i) {
    if (i % 500 == 499) f.pool.release();
    if (used.size() > 20 + random() % 40) {
      const auto block = blocks.begin() + static_cast<std::ptrdiff_t>(random() % blocks.size());
      REQUIRE(f.pool.deallocate(*block));
      used.erase(*block);
      blocks.erase(block);
      continue;
    }
    const std::int64_t bytes = 1 + random() % (random() % 8 == 0 ? 900 : 200);
    auto* const data = static_cast<char*>(f.pool.allocate(bytes));
    places.push_back(f.place(data));
    REQUIRE(places.back() % 16 == 0);
    REQUIRE(f.place(data + bytes - 1) == places.back() + bytes - 1);  // all in one chunk
    const auto next = used.lower_bound(data);
    REQUIRE((next == used.end() || data + bytes <= next->first));
    REQUIRE((next == used.begin() || std::prev(next)->first + std::prev(next)->second <= data));
    used.emplace(data, bytes);
    blocks.push_back(data);
  }
  for (const auto& [data, bytes] : used) REQUIRE(f.pool.deallocate(data));
  return places;
}

}  // namespace

TEST_CASE("block pool: a chunk is split into blocks of rounded sizes, one behind the other") {
  Fixture f;
  CHECK(f.places(f.take({100, 32, 33, 111})) == Sizes{0, 112, 144, 192});
  CHECK(f.held == 1024);
}

TEST_CASE("block pool: a request gets the smallest free block that serves it") {
  Fixture f;
  const std::vector<void*> blocks = f.take({64, 32, 160, 32, 96, 32});
  for (const std::size_t i : {0, 2, 4}) CHECK(f.pool.deallocate(blocks[i]));
  CHECK(f.places(f.take({80, 80, 64, 64})) == Sizes{288, 96, 0, 176});
  CHECK(f.held == 1024);
}

TEST_CASE("block pool: of equal blocks that which was freed last comes first") {
  Fixture f;
  const std::vector<void*> blocks = f.take({64, 32, 64, 32, 64, 32});
  for (const std::size_t i : {2, 4, 0}) f.pool.deallocate(blocks[i]);
  CHECK(f.take({64, 64, 64}) == std::vector{blocks[0], blocks[4], blocks[2]});
}

TEST_CASE("block pool: free neighbours become one block again, in whatever order they were freed") {
  std::vector<std::size_t> order{0, 1, 2, 3};
  do {
    Fixture f;
    const std::vector<void*> blocks = f.take({256, 256, 256, 256});
    for (const std::size_t i : order) CHECK(f.pool.deallocate(blocks[i]));
    CHECK(f.pool.releasable() == 1024);
    CHECK(f.place(f.pool.allocate(1024)) == 0);
    CHECK(f.chunks.size() == 1);
  } while (std::ranges::next_permutation(order).found);
}

TEST_CASE("block pool: small sizes come from chunks of their own, and large ones get exactly what they ask for") {
  Fixture f;
  CHECK(f.places(f.take({16, 100, 15, 512, 16, 16, 16, 2000})) == Sizes{0, 10000, 16, 10112, 32, 48, 20000, 30000});
  CHECK(f.chunks[0].bytes == 64);
  CHECK(f.chunks[1].bytes == 1024);
  CHECK(f.chunks[2].bytes == 64);
  CHECK(f.chunks[3].bytes == 2000);
}

TEST_CASE("block pool: chunks go back whole, and only if nothing of them is in use") {
  Fixture f;
  const std::vector<void*> blocks = f.take({512, 600, 16, 16, 200, 200, 700});
  for (const std::size_t i : {1, 2, 4, 6}) f.pool.deallocate(blocks[i]);
  CHECK(f.pool.releasable() == 608 + 704);
  f.pool.release();
  CHECK(f.held == 512 + 64 + 1024);
  CHECK(f.pool.releasable() == 0);
  for (const std::size_t i : {0, 3, 5}) f.pool.deallocate(blocks[i]);
  f.pool.release();
  CHECK(f.held == 0);
}

TEST_CASE("block pool: one that does not split hands out a block for its own size alone") {
  Fixture f(kWhole);
  const std::vector<void*> blocks = f.take({1000, 100});
  for (void* block : blocks) f.pool.deallocate(block);
  const std::vector<void*> again = f.take({90, 100, 999});
  CHECK(again == std::vector<void*>{f.chunks[2].data, blocks[1], blocks[0]});
  CHECK(f.chunks.size() == 3);
}

TEST_CASE("block pool: it takes back no block of another pool, and gives null when the system does") {
  Fixture f, other;
  void* const block = other.pool.allocate(100);
  CHECK_FALSE(f.pool.deallocate(block));
  CHECK(other.pool.deallocate(block));
  BlockPool none(kSplitting, {.allocate = [](std::int64_t) -> void* { return nullptr; }, .deallocate = {}});
  CHECK(none.allocate(100) == nullptr);
  CHECK(none.releasable() == 0);
}

TEST_CASE("block pool: the system may take back what is free while the pool asks for more") {
  std::vector<std::unique_ptr<char[]>> chunks;
  BlockPool* pool = nullptr;
  BlockPool::System system{.allocate = [&](std::int64_t bytes) -> void* {
                             pool->release();
                             CHECK(chunks.empty());
                             chunks.push_back(std::make_unique<char[]>(static_cast<std::size_t>(bytes)));
                             return chunks.back().get();
                           },
                           .deallocate = [&](void*, std::int64_t) { chunks.clear(); }};
  BlockPool made(kSplitting, system);
  pool = &made;
  CHECK(made.deallocate(made.allocate(600)));
  CHECK(made.deallocate(made.allocate(700)));
  CHECK(made.releasable() == 704);
}

TEST_CASE("block pool: random requests never overlap, and all chunks are whole when all is back") {
  for (const PoolPolicy& policy : {kSplitting, kWhole}) {
    for (std::uint32_t seed = 0; seed < 10; ++seed) {
      Fixture f(policy);
      random_requests(f, seed);
      CHECK(f.pool.releasable() == f.held);
      f.pool.release();
      CHECK(f.held == 0);
    }
  }
}

TEST_CASE("block pool: the same requests get the same places in the same chunks, wherever these lie") {
  Fixture a, b;
  const std::vector<char> between(1000);  // moves what the system gives
  CHECK(random_requests(a, 1) == random_requests(b, 1));
}
