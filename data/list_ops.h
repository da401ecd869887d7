#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace tk {

/// An expression of ListOps (Nangia and Bowman, arXiv 1804.06028): nested lists of digits under MIN, MAX, MED (the
/// median, rounded down) or SM (the sum modulo 10), whose value is a digit.
struct ListExpression {
  static constexpr std::int32_t kMin = 10, kMax = 11, kMedian = 12, kSum = 13, kEnd = 14;
  static constexpr std::int64_t kTokens = 15;  ///< the digits, the opened operators and the end of a list

  std::vector<std::int32_t> tokens;
  std::int32_t value = 0;

  /// "[MAX 2 9 [MIN 4 7 ] 0 ]"
  std::string text() const;
};

struct ListOpsOptions {
  std::uint64_t seed = 1;
  std::int64_t count = 2000;
  std::int64_t max_depth = 2;    ///< of lists in lists
  std::int64_t max_items = 3;    ///< of a list, which has at least two
  std::int64_t max_length = 12;  ///< tokens
};

/// Generated expressions, none twice. Throws where there are not as many, or for bounds that none keeps to.
std::vector<ListExpression> make_list_ops(const ListOpsOptions& options);

}  // namespace tk
