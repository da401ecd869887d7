#pragma once

#include <filesystem>
#include <iosfwd>

namespace tk {

/// Prints what a safetensors file, or a model folder's, holds: for a folder its configuration in one line, then a table
/// of names, dtypes, shapes and megabytes (10^6), and the totals. Lists every dtype of the format. Throws tk::Error.
void inspect(const std::filesystem::path& folder_or_file, std::ostream& out);

}  // namespace tk
