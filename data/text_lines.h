#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "data/example.h"

namespace tk {

/// The texts of a file without labels: with `texts` 1 one a line, with 2 two a line with a tab between them. Empty
/// lines are passed over. Throws, naming file and line, on a line of another number of texts and on invalid UTF-8.
std::vector<Example> read_text_lines(const std::filesystem::path& path, int texts);

}  // namespace tk
