#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "data/example.h"

namespace tk {

/// The first text of one row and the second of another.
struct RePaired {
  std::int64_t first = 0;
  std::int64_t second = 0;

  bool operator==(const RePaired&) const = default;
};

/// For each pair `each` other rows whose second texts share most words with its first one, best first: those of largest
/// cosine of tf-idf, words being the tokens that `is_word` marks by their ids (all, where it is empty). Fewer where
/// fewer share a word. No second text comes twice with one first text, nor does the row's own; of equally near ones the
/// earlier row comes first. A word that more than 2,000 second texts have tells little, and finds no row by itself.
std::vector<RePaired> re_pair(std::span<const TokenizedExample> pairs, std::int64_t each,
                              const std::vector<bool>& is_word = {});

}  // namespace tk
