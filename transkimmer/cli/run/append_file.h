#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace tk {

/// A new file that grows by whole lines or records, each of which is with the system when append() returns.
class AppendFile {
 public:
  /// Makes the file. Throws if the name is taken: by a link, say, that leads elsewhere.
  explicit AppendFile(const std::filesystem::path& path);
  ~AppendFile();
  AppendFile(const AppendFile&) = delete;
  AppendFile& operator=(const AppendFile&) = delete;

  /// Throws, with the path, when it cannot be written; the file then has what it had before.
  void append(std::string_view bytes);

 private:
  std::string path_;
  int fd_ = -1;
  std::int64_t bytes_ = 0;  // of what was appended whole
};

}  // namespace tk
