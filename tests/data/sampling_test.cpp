#include "data/sampling.h"

#include <algorithm>
#include <map>
#include <numeric>
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

double mean(const std::vector<std::int64_t>& values) {
  return static_cast<double>(std::accumulate(values.begin(), values.end(), std::int64_t{0})) /
         static_cast<double>(values.size());
}

}  // namespace

TEST_CASE("drop_shorter: takes out what has fewer tokens, and refuses to leave nothing") {
  Split split{.path = "train.tsv"};
  for (std::int32_t i = 0; i < 6; ++i) {
    split.examples.push_back({.id = i});
    split.tokenized.push_back(
        {.id = i, .ids = std::vector<std::int32_t>(static_cast<std::size_t>(3 + i % 3)), .token_types = {}});
  }
  CHECK(drop_shorter(split, 0) == 0);
  CHECK(drop_shorter(split, 4) == 2);
  REQUIRE(split.size() == 4);
  for (std::size_t i = 0; i < 4; ++i) {
    CHECK(split.tokenized[i].ids.size() >= 4);
    CHECK(split.tokenized[i].id == split.examples[i].id);
  }
  CHECK(split.examples[0].id == 1);
  CHECK_THROWS_WITH(drop_shorter(split, 6), ContainsSubstring("train.tsv: no example has 6 tokens"));
}

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

TEST_CASE("draw_by_length: the lengths are those wanted, no row comes twice, and the seed names them") {
  std::vector<std::int64_t> candidates, wanted;
  for (std::int64_t i = 0; i < 4000; ++i) candidates.push_back(3 + i % 60);
  for (std::int64_t i = 0; i < 50; ++i) wanted.push_back(5 + i % 7);
  const std::vector<std::int64_t> drawn = draw_by_length(candidates, wanted, 300, 1);
  REQUIRE(drawn.size() == 300);
  CHECK(std::set<std::int64_t>(drawn.begin(), drawn.end()).size() == 300);
  std::map<std::int64_t, int> by_length;
  for (const std::int64_t i : drawn) ++by_length[candidates[i]];
  CHECK(by_length.size() == 7);
  CHECK(by_length.begin()->first == 5);
  CHECK(by_length.rbegin()->first == 11);
  for (const auto& [length, rows] : by_length) CHECK((rows > 20 && rows < 70));
  CHECK(draw_by_length(candidates, wanted, 300, 1) == drawn);
  CHECK(draw_by_length(candidates, wanted, 300, 2) != drawn);
}

TEST_CASE("draw_by_length: where a length is used up a near one is taken, and where none is near, there are no more") {
  const std::vector<std::int64_t> candidates = {9, 4, 30, 8}, wanted = {8};
  CHECK(draw_by_length(candidates, wanted, 9, 1) == std::vector<std::int64_t>{3, 0});
  CHECK(draw_by_length(candidates, wanted, 1, 1) == std::vector<std::int64_t>{3});
  CHECK(draw_by_length({}, wanted, 9, 1).empty());
}

TEST_CASE("draw_by_length: too few long rows are no reason to draw more short ones") {
  std::vector<std::int64_t> candidates(10'000, 10), wanted = {10, 60};
  candidates.insert(candidates.end(), 100, 60);
  const std::vector<std::int64_t> drawn = draw_by_length(candidates, wanted, 10'000, 1);
  CHECK(drawn.size() > 180);
  CHECK(drawn.size() < 260);
}

TEST_CASE("mixed_rows: own rows have their share, every row comes, and none much more often than another") {
  for (const auto& [own, others] : {std::pair<std::int64_t, std::int64_t>{100, 1000}, {1000, 100}, {30, 90}}) {
    const std::vector<std::int64_t> rows = mixed_rows(own, others, 0.25, 3);
    std::map<std::int64_t, std::int64_t> times;
    for (const std::int64_t row : rows) ++times[row];
    const auto is_own = [end = own](std::int64_t row) { return row < end; };
    CHECK(static_cast<double>(std::ranges::count_if(rows, is_own)) / static_cast<double>(rows.size()) ==
          Approx(0.25).margin(0.001));
    CHECK(std::ssize(times) == own + others);
    CHECK(times.rbegin()->first == own + others - 1);
    for (const std::int64_t first : {std::int64_t{0}, own}) {
      std::vector<std::int64_t> of_side;
      for (const auto& [row, n] : times) {
        if (is_own(row) == (first == 0)) of_side.push_back(n);
      }
      CHECK(*std::ranges::max_element(of_side) - *std::ranges::min_element(of_side) <= 1);
      CHECK(mean(of_side) >= 1);
    }
    CHECK(mixed_rows(own, others, 0.25, 3) == rows);
  }
  CHECK(mixed_rows(100, 1000, 0.25, 3) != mixed_rows(100, 1000, 0.25, 4));
  CHECK_THROWS_AS(mixed_rows(0, 5, 0.25, 3), Error);
}

}  // namespace tk
