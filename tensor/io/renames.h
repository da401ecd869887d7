#pragma once

#include <filesystem>
#include <utility>
#include <vector>

namespace tk {

/// Renames that are made one after the other and can be undone.
class Renames {
 public:
  /// Throws tk::Error that starts with `from` when that cannot be done.
  void add(const std::filesystem::path& from, const std::filesystem::path& to);
  /// The last one first. False when not all could be.
  bool undo();

 private:
  std::vector<std::pair<std::filesystem::path, std::filesystem::path>> done_;
};

}  // namespace tk
