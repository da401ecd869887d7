#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string_view>

namespace tk {

/// A file that appears under its name only when it is complete. It is written beside it under a temporary name; commit
/// syncs and renames, and without a commit the destructor removes it. Every failure throws tk::Error with the path.
class AtomicFile {
 public:
  explicit AtomicFile(std::filesystem::path path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(std::span<const std::byte> bytes);
  void write(std::string_view text);
  /// Replaces whatever had the name; call once, last.
  void commit();

 private:
  std::filesystem::path path_;
  std::filesystem::path temporary_;
  int fd_ = -1;
};

/// Writes all of `text` to `path`, or leaves `path` as it was and throws.
void write_file_atomically(const std::filesystem::path& path, std::string_view text);
/// Copies a regular file, or leaves `to` as it was and throws.
void copy_file_atomically(const std::filesystem::path& from, const std::filesystem::path& to);

/// A folder that appears under its name only when it is complete: fill `path()`, then commit; without a commit the
/// destructor removes it. Nothing may have the name yet. Every failure throws tk::Error with the path.
class AtomicFolder {
 public:
  /// Makes the folders above it too.
  explicit AtomicFolder(std::filesystem::path folder);
  ~AtomicFolder();
  AtomicFolder(const AtomicFolder&) = delete;
  AtomicFolder& operator=(const AtomicFolder&) = delete;

  const std::filesystem::path& path() const { return temporary_; }
  void commit();

 private:
  std::filesystem::path folder_;
  std::filesystem::path temporary_;
};

}  // namespace tk
