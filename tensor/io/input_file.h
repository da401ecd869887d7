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
  /// Throws tk::Error that starts with the path unless it is a readable regular file: a named pipe or a terminal would
  /// keep its reader waiting, and a device like /dev/zero has no end. A pointer that Git LFS left in a file's place is
  /// refused as what it is.
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
  void check_no_pointer() const;

  std::string path_;
  int fd_ = -1;
  std::int64_t size_ = 0;
};

/// All bytes of a regular file. Throws as InputFile does, and for a file of more than `most_bytes` or than memory
/// holds.
std::string read_file(const std::filesystem::path& path, std::int64_t most_bytes = std::int64_t{1} << 40);

/// Throws tk::Error for a path with a NUL character: the system would read it as another, shorter path.
void check_path(const std::filesystem::path& path);

}  // namespace tk
