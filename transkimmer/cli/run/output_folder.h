#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace tk {

class Manifest;

/// Whether `path` is `folder` or in it.
bool lies_in(const std::filesystem::path& path, const std::filesystem::path& folder);

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

/// A folder to write into, made if it is not there; one made for nothing disappears again. What killed processes left
/// in it under temporary names is removed.
class WritableFolder {
 public:
  /// Throws unless it can be made, is a folder and may be written to.
  explicit WritableFolder(std::filesystem::path folder);
  ~WritableFolder();
  WritableFolder(const WritableFolder&) = delete;
  WritableFolder& operator=(const WritableFolder&) = delete;

  const std::filesystem::path& path() const { return folder_; }

 private:
  std::filesystem::path folder_;
  bool is_new_ = false;
};

/// What becomes of a run that lies in the folder already.
enum class EarlierRun : std::uint8_t {
  kRefuse,    ///< it stays, and there is no new one
  kReplace,   ///< a new one replaces it, at its end
  kContinue,  ///< one that is not finished and has the same flags goes on: its finished parts and its checkpoints
              ///< stay; any other is refused
  kExtend     ///< one with the same flags goes on, finished or not, with all its parts and more; any other is refused
};

/// The folder that a run writes to, alone: it is locked. Until a run has begun nothing in it is touched. A run replaces
/// an earlier one as a whole, at its end: until then it lies in a folder of its own, `unfinished`, among the earlier
/// run's files. Where there is no earlier run, it writes to the folder itself.
class OutputFolder {
 public:
  /// Makes the folder. Throws if it holds anything that `earlier` does not allow, is not a folder that can be written
  /// to, or is being written to by another run. A replacement that was broken off half way is completed first.
  OutputFolder(std::filesystem::path folder, EarlierRun earlier);
  /// A part of `whole`, whose run has begun, for a run within the run. One that is not finished begins anew.
  OutputFolder(const OutputFolder& whole, const std::string& part);
  /// What an unfinished run wrote beside an earlier one goes, unless it has come to a checkpoint.
  ~OutputFolder();

  /// The folder as it was named.
  const std::filesystem::path& path() const { return folder_.path(); }
  /// Where the run's files are written, once it has begun.
  const std::filesystem::path& work() const { return work_; }
  /// The checkpoint that the run goes on from: the newest of the one that is to go on, if there is one.
  std::optional<std::filesystem::path> checkpoint() const;
  /// The name that a file of the run will have once the run is finished; any other's own.
  std::filesystem::path final_name(const std::filesystem::path& file) const;

  /// Begins a run, unless it has begun, and writes its run.json. Call when all inputs are read. `parts` are folders
  /// that the run will make beside a run's usual files. Throws where the end would have to remove what no run wrote.
  /// What an earlier run left `unfinished` goes, unless one of `inputs` lies in it. Throws where a run is to go on with
  /// other flags than it began with.
  void begin_run(Manifest& manifest, const std::vector<std::string>& parts = {},
                 const std::vector<std::filesystem::path>& inputs = {});
  /// Ends a run all of whose files are written: completes run.json and replaces an earlier run.
  void finish_run(Manifest& manifest);

 private:
  void write_manifest(Manifest& manifest) const;
  void check_removable(const std::vector<std::filesystem::path>& earlier) const;
  void go_on(const Manifest& manifest) const;
  std::string way_out() const;  // of a folder that is refused, beside another folder
  void make_work(const Manifest& manifest, const std::vector<std::filesystem::path>& inputs);

  WritableFolder folder_;
  std::optional<FolderLock> lock_;  // none for a part
  std::filesystem::path work_;
  std::filesystem::path work_root_;   // of the whole, and
  std::filesystem::path final_root_;  // what it will be called
  std::vector<std::string> parts_;
  EarlierRun earlier_ = EarlierRun::kRefuse;
  bool goes_on_ = false;  // an earlier run there is this one, to be finished or extended
  bool has_begun_ = false;
  bool is_finished_ = false;
};

}  // namespace tk
