#pragma once

#include <filesystem>
#include <optional>

namespace tk {

/// Keeps other runs out of a folder as long as it lives, if the file system knows locks.
class FolderLock {
 public:
  /// Throws if another process has the lock.
  explicit FolderLock(const std::filesystem::path& folder);
  ~FolderLock();
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

 private:
  int fd_;
};

/// The folder that a run writes to, alone: it is locked. Until a run has begun nothing in it is touched, and one made
/// for a run that never began disappears again.
class OutputFolder {
 public:
  /// Makes the folder. Throws if it holds anything, unless `overwrite`, is not a folder that can be written to, or is
  /// being written to by another run.
  OutputFolder(std::filesystem::path folder, bool overwrite);
  ~OutputFolder();
  OutputFolder(const OutputFolder&) = delete;
  OutputFolder& operator=(const OutputFolder&) = delete;

  const std::filesystem::path& path() const { return folder_; }
  /// Removes what an earlier run left that this one would not replace (its checkpoints, logs and results); other files
  /// stay. Call when all inputs are read.
  void begin_run();

 private:
  std::filesystem::path folder_;
  bool is_new_ = false;
  std::optional<FolderLock> lock_;
};

}  // namespace tk
