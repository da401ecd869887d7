#include "data/list_ops.h"

#include <map>
#include <set>

#include "tensor/error.h"
#include "tests/support/catch.h"

namespace tk {
namespace {

// The value of the list, or digit, that begins at `at`, which goes behind it.
std::int32_t evaluate(const std::vector<std::int32_t>& tokens, std::size_t& at) {
  const std::int32_t first = tokens.at(at++);
  if (first < 10) return first;
  std::multiset<std::int32_t> items;
  while (tokens.at(at) != ListExpression::kEnd) items.insert(evaluate(tokens, at));
  ++at;
  if (first == ListExpression::kMin) return *items.begin();
  if (first == ListExpression::kMax) return *items.rbegin();
  std::int32_t sum = 0;
  for (const std::int32_t item : items) sum += item;
  if (first == ListExpression::kSum) return sum % 10;
  const auto low = std::next(items.begin(), static_cast<std::ptrdiff_t>(items.size() - 1) / 2);
  const auto high = std::next(items.begin(), static_cast<std::ptrdiff_t>(items.size()) / 2);
  return (*low + *high) / 2;
}

TEST_CASE("make_list_ops: expressions have their value, keep to the bounds, and none comes twice") {
  const std::vector<ListExpression> all =
      make_list_ops({.seed = 2, .count = 3000, .max_depth = 3, .max_items = 4, .max_length = 14});
  std::set<std::string> texts;
  std::map<std::int32_t, int> values;
  for (const ListExpression& one : all) {
    std::size_t at = 0;
    INFO(one.text());
    CHECK(evaluate(one.tokens, at) == one.value);
    CHECK(at == one.tokens.size());
    CHECK(one.tokens.size() <= 14);
    texts.insert(one.text());
    ++values[one.value];
  }
  CHECK(texts.size() == 3000);
  CHECK(values.size() == 10);
  CHECK(texts == [] {
    std::set<std::string> again;
    for (const ListExpression& one :
         make_list_ops({.seed = 2, .count = 3000, .max_depth = 3, .max_items = 4, .max_length = 14})) {
      again.insert(one.text());
    }
    return again;
  }());
}

TEST_CASE("make_list_ops: text, and bounds that leave too few") {
  CHECK(ListExpression{{11, 2, 13, 9, 4, 14, 0, 14}, 3}.text() == "[MAX 2 [SM 9 4 ] 0 ]");
  CHECK_THROWS_WITH(make_list_ops({.count = 2000, .max_depth = 1, .max_items = 2, .max_length = 4}),
                    ContainsSubstring("there are not 2000 different expressions"));
  CHECK_THROWS_WITH(make_list_ops({.max_items = 1}), ContainsSubstring("make_list_ops: expected"));
}

}  // namespace
}  // namespace tk
