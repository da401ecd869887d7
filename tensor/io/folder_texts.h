#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>

namespace tk {

/// The texts of some files of a folder, read once: what is done with them later does not depend on what becomes of the
/// folder meanwhile.
struct FolderTexts {
  std::filesystem::path folder = {};  ///< for messages
  std::map<std::string, std::string, std::less<>> files = {};

  /// Null when there is none.
  const std::string* find(std::string_view file) const;
  /// Where the file lies, or would.
  std::string path_of(std::string_view file) const { return (folder / file).string(); }
};

/// Reads those of `files` that the folder has. Throws tk::Error that starts with a file's path when it cannot be read
/// or is no text: not a JSON object where its name ends in ".json", not UTF-8 otherwise.
FolderTexts read_texts(const std::filesystem::path& folder, std::span<const char* const> files);

}  // namespace tk
