#include "transkimmer/cli/run/batch_flags.h"

#include "tests/support/catch.h"

using namespace tk;

TEST_CASE("batches: 32 sentences on the CPU and tokens on a GPU, unless a flag bounds them") {
  const auto bounds = [](const BatchFlags& flags, Device device) {
    const BatchBounds bounds = batch_bounds(flags, device);
    return std::pair(bounds.sentences, bounds.tokens);
  };
  CHECK(bounds({}, Device::kCpu) == std::pair(kBatchSize, std::int64_t{0}));
  CHECK(bounds({}, Device::kCuda) == std::pair(std::int64_t{0}, kBatchTokens));
  for (const Device device : {Device::kCpu, Device::kCuda}) {
    CHECK(bounds({.sentences = 8}, device) == std::pair(std::int64_t{8}, std::int64_t{0}));
    CHECK(bounds({.tokens = 500}, device) == std::pair(std::int64_t{0}, std::int64_t{500}));
    CHECK(bounds({.sentences = 8, .tokens = 500}, device) == std::pair(std::int64_t{8}, std::int64_t{500}));
  }
}

TEST_CASE("batches: their text says which bounds there are") {
  CHECK(text_of({32, 0}) == "32");
  CHECK(text_of({0, 8192}) == "8192 tokens");
  CHECK(text_of({32, 500}) == "32, 500 tokens at most");
}
