#pragma once

#include <cstddef>
#include <filesystem>
#include <span>

namespace tk {

/// A whole file in memory, read on demand. Writes to it stay in this process and never reach the file. Another process
/// may replace the file by renaming meanwhile; one that shortens it in place makes later reads of the lost part fatal.
class MappedFile {
 public:
  /// Throws tk::Error that starts with the path unless it is a readable regular file.
  explicit MappedFile(const std::filesystem::path& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  std::span<std::byte> bytes() const { return {data_, size_}; }

 private:
  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace tk
