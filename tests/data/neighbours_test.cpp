#include "data/neighbours.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "tensor/error.h"
#include "tests/support/catch.h"
#include "tests/support/tensors.h"

namespace tk {
namespace {

using test::message_of;
using test::random_normal;

std::vector<std::int32_t> numbers(std::int32_t n) {
  std::vector<std::int32_t> all(static_cast<std::size_t>(n));
  std::iota(all.begin(), all.end(), 0);
  return all;
}

// All candidates but the token by their cosine in double.
std::vector<std::int32_t> brute_force(const Tensor& embeddings, std::int32_t token,
                                      std::vector<std::int32_t> candidates) {
  const std::int64_t width = embeddings.size(1);
  const auto dot = [&](std::int32_t a, std::int32_t b) {
    const float* table = embeddings.data<float>();
    return std::inner_product(table + a * width, table + (a + 1) * width, table + b * width, 0.0, std::plus<>(),
                              [](float x, float y) { return double{x} * y; });
  };
  std::erase(candidates, token);
  std::ranges::sort(candidates, std::greater<>(),
                    [&](std::int32_t other) { return dot(token, other) / std::sqrt(dot(other, other)); });
  return candidates;
}

std::vector<std::int32_t> listed_of(const Neighbours& neighbours, std::int32_t token) {
  const auto found = neighbours.of(token);
  return {found.begin(), found.end()};
}

}  // namespace

TEST_CASE("neighbours: those of the largest cosines, as sorting all of them gives, over several blocks") {
  const Tensor embeddings = random_normal({600, 12}, 5);
  const std::vector<std::int32_t> tokens = numbers(600), candidates = numbers(590);
  const Neighbours neighbours(embeddings, tokens, candidates);
  for (const std::int32_t token : tokens) {
    std::vector<std::int32_t> expected = brute_force(embeddings, token, candidates);
    expected.resize(Neighbours::kCount);
    CHECK(listed_of(neighbours, token) == expected);
  }
}

TEST_CASE("neighbours: only candidates, never the token itself, none for a token that was not asked about") {
  const Tensor embeddings = from_values<float>({1, 0, 2, 0, 0, 1, 1, 1, 0, 0}, {5, 2});
  const std::vector<std::int32_t> tokens = {0, 3, 4}, candidates = {0, 1, 2, 4};
  const Neighbours neighbours(embeddings, tokens, candidates);
  CHECK(listed_of(neighbours, 0) == std::vector<std::int32_t>{1, 2, 4});  // a length says nothing, ties go by id
  CHECK(listed_of(neighbours, 3) == std::vector<std::int32_t>{0, 1, 2, 4});
  CHECK(listed_of(neighbours, 4) == std::vector<std::int32_t>{0, 1, 2});
  for (const std::int32_t other : {1, 2, 5, -1}) CHECK(neighbours.of(other).empty());
  CHECK(listed_of(Neighbours(embeddings, tokens, candidates, 1), 0) == std::vector<std::int32_t>{1});
  CHECK(Neighbours(embeddings, tokens, {}).of(0).empty());
  CHECK(Neighbours().of(0).empty());
}

TEST_CASE("neighbours: an id that has no embedding is refused, and so is a table that is none") {
  const Tensor embeddings = random_normal({4, 2}, 5);
  const std::vector<std::int32_t> good = {1}, bad = {4};
  CHECK(message_of([&] { Neighbours(embeddings, bad, good); }) == "neighbours: id 4 is out of range for 4 embeddings");
  CHECK(message_of([&] { Neighbours(embeddings, good, bad); }) == "neighbours: id 4 is out of range for 4 embeddings");
  CHECK_THROWS_AS(Neighbours(zeros({4}), good, good), Error);
}

}  // namespace tk
