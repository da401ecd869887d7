#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

namespace tk {

/// A regular file, open for reading at any place. It is read and not mapped: a file that another process shortens
/// meanwhile is then an error, where the lost part of a mapping would be the program's end.
class InputFile {
 public:
  /// Throws tk::Error that starts with the path unless it is a readable regular file.
  explicit InputFile(const std::filesystem::path& path);
  ~InputFile();
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;

  const std::string& path() const { return path_; }
  /// Bytes of the file as it was opened.
  std::int64_t size() const { return size_; }
  /// Fills `bytes` with what lies from `offset` on; throws where the file ends before.
  void read(std::int64_t offset, std::span<std::byte> bytes) const;

 private:
  std::string path_;
  int fd_;
  std::int64_t size_ = 0;
};

/// All bytes of a regular file; throws as InputFile does.
std::string read_file(const std::filesystem::path& path);

}  // namespace tk
