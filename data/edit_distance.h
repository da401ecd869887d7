#pragma once

#include <cstddef>
#include <string_view>

namespace tk {

/// Levenshtein distance: the fewest insertions, deletions and replacements of a byte that make one of the other. For
/// short names ("did you mean ..."): the time grows with the product of the lengths.
std::size_t edit_distance(std::string_view a, std::string_view b);

}  // namespace tk
