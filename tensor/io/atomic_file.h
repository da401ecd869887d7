#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

namespace tk {

// What is not complete yet, or not quite removed, is called NAME.tmp-transkimmer-PROCESS-NUMBER, in the folder of NAME,
// and is locked as long as somebody works on it. A process that is killed leaves such names behind.

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

/// A folder that appears under its name only when it is complete: fill `path()`, then commit; without a commit the
/// destructor removes it. Nothing may have the name yet. Every failure throws tk::Error with the path.
class AtomicFolder {
 public:
  /// Makes the folders above it too, and removes what killed processes left of this one.
  explicit AtomicFolder(std::filesystem::path folder);
  ~AtomicFolder();
  AtomicFolder(const AtomicFolder&) = delete;
  AtomicFolder& operator=(const AtomicFolder&) = delete;

  const std::filesystem::path& path() const { return temporary_; }
  void commit();
  /// Leaves it, with all that is in it, under its temporary name.
  void abandon();

 private:
  std::filesystem::path folder_;
  std::filesystem::path temporary_;
  int fd_ = -1;
};

/// Has the renames in a folder survive a power cut; of no effect on file systems that cannot.
void sync_folder(const std::filesystem::path& folder);
/// Removes a folder with all that is in it: it has lost its name before anything in it goes. Throws tk::Error with the
/// path; what could not be removed then has a temporary name.
void remove_folder(const std::filesystem::path& folder);
/// Whether that is a temporary name: of `file`, if that is given.
bool is_temporary(const std::string& name, const std::string& file = "");
/// Removes the temporary names in `folder`, those of `file` alone if that is given, on which nobody works any more.
/// What cannot be removed stays.
void remove_leftovers(const std::filesystem::path& folder, const std::string& file = "");

}  // namespace tk
