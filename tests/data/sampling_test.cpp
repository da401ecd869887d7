#include "data/sampling.h"

#include <algorithm>
#include <set>

#include "tensor/error.h"
#include "tests/support/catch.h"

namespace tk {
namespace {

Split numbered(std::int32_t n) {
  Split split{.path = "train.tsv"};
  for (std::int32_t i = 0; i < n; ++i) {
    split.examples.push_back({.id = i});
    split.tokenized.push_back({.id = i, .ids = {1, 2}, .token_types = {0, 0}});
  }
  return split;
}

std::vector<std::int32_t> ids(const Split& split) {
  std::vector<std::int32_t> result;
  for (const TokenizedExample& example : split.tokenized) result.push_back(example.id);
  return result;
}

}  // namespace

TEST_CASE("hold_out: what is held out is not left, both keep the file's order, and the seed names it") {
  Split split = numbered(100);
  const Split held = hold_out(split, 10, 7);
  CHECK(held.size() == 10);
  CHECK(split.size() == 90);
  CHECK(held.path == "train.tsv");
  std::vector<std::int32_t> all = ids(split);
  for (const std::int32_t id : ids(held)) all.push_back(id);
  CHECK(std::ranges::is_sorted(ids(split)));
  CHECK(std::ranges::is_sorted(ids(held)));
  CHECK(std::set<std::int32_t>(all.begin(), all.end()).size() == 100);
  for (std::size_t i = 0; i < held.examples.size(); ++i) CHECK(held.examples[i].id == held.tokenized[i].id);

  Split again = numbered(100), other = numbered(100);
  CHECK(ids(hold_out(again, 10, 7)) == ids(held));
  CHECK(ids(hold_out(other, 10, 8)) != ids(held));
  CHECK_THROWS_AS(hold_out(other, other.size(), 8), Error);
}

}  // namespace tk
