#pragma once

#include <cstddef>
#include <filesystem>
#include <utility>
#include <vector>

namespace tk {

/// Renames that are made one after the other and can be undone.
class Renames {
 public:
  void add(std::filesystem::path from, std::filesystem::path to);
  /// In the order in which they were added. Throws tk::Error that starts with the `from` of one that cannot be done;
  /// those before it are.
  void make();
  /// The last one first. False when not all could be.
  bool undo();

 private:
  std::vector<std::pair<std::filesystem::path, std::filesystem::path>> all_;
  std::size_t done_ = 0;
};

}  // namespace tk
