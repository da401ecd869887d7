#pragma once

#include <filesystem>

namespace tk {

/// The folder that a run writes to. Until a run has begun nothing in it is touched, and one made for a run that never
/// began disappears again.
class OutputFolder {
 public:
  /// Makes the folder. Throws if it holds anything, unless `overwrite`, or is not a folder that can be written to.
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
};

}  // namespace tk
