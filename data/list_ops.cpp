#include "data/list_ops.h"

#include <algorithm>
#include <numeric>
#include <set>

#include "tensor/error.h"
#include "tensor/random.h"

namespace tk {
namespace {

constexpr const char* kOperators[] = {"[MIN", "[MAX", "[MED", "[SM"};
constexpr std::int64_t kShortest = 4;  // an operator, two digits, an end
constexpr std::int64_t kTries = 100;   // for each expression

std::int32_t value_of(std::int32_t operation, std::vector<std::int32_t> items) {
  std::ranges::sort(items);
  const std::size_t n = items.size();
  switch (operation) {
    case ListExpression::kMin:
      return items.front();
    case ListExpression::kMax:
      return items.back();
    case ListExpression::kMedian:
      return (items[(n - 1) / 2] + items[n / 2]) / 2;
    default:
      return std::accumulate(items.begin(), items.end(), 0) % 10;
  }
}

// Appends a list, or below the first depth perhaps a digit, and returns its value.
std::int32_t append(std::vector<std::int32_t>& tokens, std::int64_t depth, const ListOpsOptions& options,
                    Generator& random) {
  const bool is_digit = depth == options.max_depth || (depth > 0 && random.below(3) != 0);
  if (is_digit) {
    tokens.push_back(static_cast<std::int32_t>(random.below(10)));
    return tokens.back();
  }
  const auto operation = ListExpression::kMin + static_cast<std::int32_t>(random.below(4));
  tokens.push_back(operation);
  std::vector<std::int32_t> items;
  const auto count = 2 + static_cast<std::int64_t>(random.below(static_cast<std::uint32_t>(options.max_items - 1)));
  for (std::int64_t i = 0; i < count; ++i) items.push_back(append(tokens, depth + 1, options, random));
  tokens.push_back(ListExpression::kEnd);
  return value_of(operation, std::move(items));
}

}  // namespace

std::string ListExpression::text() const {
  std::string text;
  for (const std::int32_t token : tokens) {
    if (!text.empty()) text += ' ';
    text += token == kEnd ? "]" : token >= kMin ? kOperators[token - kMin] : std::to_string(token);
  }
  return text;
}

std::vector<ListExpression> make_list_ops(const ListOpsOptions& options) {
  TK_CHECK(options.count >= 1 && options.max_depth >= 1 && options.max_items >= 2 && options.max_length >= kShortest,
           "make_list_ops: expected a count and a depth of at least 1, 2 items and a length of ", kShortest, ", got ",
           options.count, ", ", options.max_depth, ", ", options.max_items, " and ", options.max_length);
  std::vector<ListExpression> all;
  std::set<std::vector<std::int32_t>> seen;
  Generator random(options.seed, Purpose::kData);
  for (std::int64_t tries = 0; std::ssize(all) < options.count; ++tries) {
    TK_CHECK(tries < kTries * options.count, "make_list_ops: there are not ", options.count,
             " different expressions within the bounds");
    ListExpression one;
    one.value = append(one.tokens, 0, options, random);
    if (std::ssize(one.tokens) <= options.max_length && seen.insert(one.tokens).second) all.push_back(std::move(one));
  }
  return all;
}

}  // namespace tk
