#include "data/re_pair.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "tensor/error.h"
#include "tensor/random.h"
#include "tests/support/catch.h"
#include "tests/support/tensors.h"

namespace tk {
namespace {

using Ids = std::vector<std::int32_t>;

TokenizedExample pair_of(const Ids& a, const Ids& b) {
  TokenizedExample pair{.ids = {2}, .token_types = {}};
  pair.ids.insert(pair.ids.end(), a.begin(), a.end());
  pair.ids.push_back(3);
  pair.token_types.assign(pair.ids.size(), 0);
  pair.ids.insert(pair.ids.end(), b.begin(), b.end());
  pair.ids.push_back(3);
  pair.token_types.resize(pair.ids.size(), 1);
  return pair;
}

Ids random_text(Generator& random) {
  Ids text(3 + random.below(8));
  for (std::int32_t& word : text) word = static_cast<std::int32_t>(10 + std::min(random.below(60), random.below(60)));
  return text;
}

// The cosine of a first and a second text, by the definition.
double cosine(const Ids& a, const Ids& b, const std::vector<Ids>& seconds) {
  const std::set<Ids> different(seconds.begin(), seconds.end());
  const auto idf = [&](std::int32_t word) {
    const auto texts = std::ranges::count_if(different, [&](const Ids& s) { return std::ranges::count(s, word) > 0; });
    return std::log((1.0 + static_cast<double>(different.size())) / static_cast<double>(texts));
  };
  double squares = 0, product = 0;
  for (const std::int32_t word : std::set<std::int32_t>(b.begin(), b.end())) {
    const double weight = static_cast<double>(std::ranges::count(b, word)) * idf(word);
    squares += weight * weight;
    product += weight * static_cast<double>(std::ranges::count(a, word)) * idf(word);
  }
  return squares > 0 ? product / std::sqrt(squares) : 0;
}

}  // namespace

TEST_CASE("re_pair: each first text gets the second texts of largest cosine, none its own") {
  Generator random(4, Purpose::kUser);
  std::vector<Ids> firsts, seconds;
  std::vector<TokenizedExample> pairs;
  for (int i = 0; i < 40; ++i) {
    firsts.push_back(random_text(random));
    seconds.push_back(i % 8 == 7 ? seconds[i - 3] : random_text(random));  // some come twice
    pairs.push_back(pair_of(firsts.back(), seconds.back()));
  }
  const std::vector<RePaired> found = re_pair(pairs, 3);
  std::map<std::int64_t, std::vector<std::int64_t>> of_row;
  for (const RePaired& pair : found) of_row[pair.first].push_back(pair.second);
  for (std::int64_t i = 0; i < 40; ++i) {
    std::map<Ids, double> scores;
    for (const Ids& second : seconds) {
      if (second != seconds[i]) scores[second] = cosine(firsts[i], second, seconds);
    }
    std::vector<double> best;
    for (const auto& [text, score] : scores) best.push_back(score);
    std::ranges::sort(best, std::greater<>());
    std::set<Ids> taken;
    REQUIRE(of_row[i].size() <= 3);
    for (std::size_t k = 0; k < 3; ++k) {
      if (k >= of_row[i].size()) {
        CHECK(best[k] == 0);
        continue;
      }
      const Ids& second = seconds[of_row[i][k]];
      CHECK(scores.at(second) == Approx(best[k]));
      CHECK(taken.insert(second).second);
    }
  }
  CHECK(found.size() > 100);
}

TEST_CASE("re_pair: the same on one thread and on two, nothing without shared words, and pairs are needed") {
  Generator random(8, Purpose::kUser);
  std::vector<TokenizedExample> pairs;
  for (int i = 0; i < 300; ++i) pairs.push_back(pair_of(random_text(random), random_text(random)));
  const auto on = [&](int threads) {
    const test::ThreadCount count(threads);
    return re_pair(pairs, 2);
  };
  CHECK(on(1) == on(2));
  CHECK(re_pair(pairs, 0).empty());
  CHECK(re_pair(std::vector{pair_of({10}, {11}), pair_of({12}, {13}), pair_of({}, {})}, 4).empty());
  CHECK(re_pair(std::vector{pair_of({10}, {11}), pair_of({12}, {10})}, 4) == std::vector<RePaired>{{0, 1}});
  CHECK_THROWS_AS(re_pair(std::vector<TokenizedExample>{{.ids = {2, 3}, .token_types = {0, 0}}}, 1), Error);
}

TEST_CASE("re_pair: only words count") {
  const std::vector<TokenizedExample> pairs = {pair_of({10, 11, 11, 11}, {12}), pair_of({13}, {11}),
                                               pair_of({13}, {10, 14})};
  CHECK(re_pair(pairs, 1) == std::vector<RePaired>{{0, 1}});
  std::vector<bool> is_word(20, true);
  is_word[11] = false;
  CHECK(re_pair(pairs, 1, is_word) == std::vector<RePaired>{{0, 2}});
}

TEST_CASE("re_pair: a word of more than 2,000 texts finds none by itself") {
  std::vector<TokenizedExample> pairs;
  for (std::int32_t i = 0; i < 2001; ++i) pairs.push_back(pair_of({10}, {10, 20 + i}));
  CHECK(re_pair(pairs, 1).empty());
  pairs.pop_back();
  CHECK(re_pair(pairs, 1).size() == 2000);
}

}  // namespace tk
