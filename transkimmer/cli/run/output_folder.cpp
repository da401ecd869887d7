#include "transkimmer/cli/run/output_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <iterator>
#include <system_error>
#include <utility>

#include "tensor/error.h"
#include "tensor/io/atomic_file.h"
#include "tensor/io/in_quotes.h"
#include "tensor/io/input_file.h"
#include "tensor/io/json.h"
#include "tensor/io/problem_text.h"
#include "transkimmer/cli/run/log.h"
#include "transkimmer/cli/run/manifest.h"
#include "transkimmer/cli/run/replace_run.h"
#include "transkimmer/cli/run/run_files.h"

namespace tk {
namespace fs = std::filesystem;

bool lies_in(const fs::path& path, const fs::path& folder) {
  const fs::path inner = fs::weakly_canonical(path);
  const fs::path outer = fs::weakly_canonical(folder);
  return std::ranges::mismatch(outer, inner).in1 == outer.end();
}

namespace {

constexpr int kTaken = -2;

// A descriptor that holds the folder's lock; kTaken where another process does, -1 where the file system knows none.
// A folder that was removed and made again while it was locked is locked again: a lock is of what has the name.
int try_lock(const fs::path& folder) {
  constexpr int kMostTries = 100;
  for (int i = 0; i < kMostTries; ++i) {
    const int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return -1;
    if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
      const bool is_taken = errno == EWOULDBLOCK;
      if (!is_taken) return fd;
      ::close(fd);
      return kTaken;
    }
    struct stat locked = {}, named = {};
    const bool is_same = ::fstat(fd, &locked) == 0 && ::stat(folder.c_str(), &named) == 0 &&
                         locked.st_ino == named.st_ino && locked.st_dev == named.st_dev;
    if (is_same) return fd;
    ::close(fd);
    std::error_code ignored;
    fs::create_directories(folder, ignored);
  }
  return kTaken;
}

// The place of a part that a run makes, empty.
fs::path cleared(const fs::path& part) {
  if (fs::exists(part)) {
    const std::optional<fs::path> foreign = first_foreign(part);
    TK_CHECK(!foreign, "--output_dir: ", foreign->string(),
             ": no run wrote this, and its folder would go; move it away or name another folder");
    remove_folder(part);
  }
  return part;
}

// Flags that say where a run is and how it is watched, not what it does: the same bits come of any threads and queues.
// Nor do those that name a sweep's parts, or what is done with the model afterwards.
constexpr std::array<const char*, 23> kFreeFlags = {
    "output_dir",   "overwrite_output_dir", "progress",      "threads",       "queues",  "ranks",
    "rank_timeout", "shard_optimizer",      "log_all_ranks", "blas_coretype", "cpu_isa", "do_predict",
    "time_limit",   "overlap_gradients",    "report_to",     "logging_dir",   "jobs",    "tasks",
    "speedups",     "max_predict_samples",  "speed_samples", "estimators",    "seeds"};

// "--speedup 4, now 3" for each other flag that differs.
std::string differences(const nlohmann::json& earlier, const nlohmann::json& now) {
  std::string text;
  const auto shown_value = [](const nlohmann::json& flags, const std::string& name) {
    return flags.contains(name) ? shown(flags[name]) : "not given";
  };
  nlohmann::json all = earlier;
  all.update(now);
  for (const char* flag : kFreeFlags) all.erase(flag);
  for (const auto& [name, value] : all.items()) {
    const std::string before = shown_value(earlier, name), after = shown_value(now, name);
    if (before != after) text += concat(text.empty() ? "" : "; ", "--", printable(name), ' ', before, ", now ", after);
  }
  return text;
}

}  // namespace

FolderLock::FolderLock(const fs::path& folder) : fd_(try_lock(folder)) {
  if (fd_ != kTaken) return;
  throw Error(concat("--output_dir: ", folder.string(), ": another run is writing to it now; name another folder"));
}

FolderLock::~FolderLock() {
  if (fd_ >= 0) ::close(fd_);
}

WritableFolder::WritableFolder(fs::path folder) : folder_(std::move(folder)) {
  check_path(folder_);
  const std::string name = folder_.string();
  std::error_code error;
  if (!fs::exists(folder_)) {
    fs::create_directories(folder_, error);
    TK_CHECK(!error, "--output_dir: ", name, ": cannot make the folder: ", error.message());
    is_new_ = true;
  }
  TK_CHECK(fs::is_directory(folder_), "--output_dir: ", name, ": exists and is not a folder");
  TK_CHECK(::access(folder_.c_str(), W_OK) == 0, "--output_dir: ", name, ": may not be written to");
  remove_leftovers(folder_);
}

WritableFolder::~WritableFolder() {
  if (!is_new_) return;
  const int fd = try_lock(folder_);  // another run may have it by now, with nothing written yet
  std::error_code ignored;
  if (fd != kTaken) fs::remove(folder_, ignored);  // an empty folder; any other stays
  if (fd >= 0) ::close(fd);
}

OutputFolder::OutputFolder(fs::path folder, EarlierRun earlier)
    : folder_(std::move(folder)),
      lock_(folder_.path()),
      work_(path()),
      work_root_(path()),
      final_root_(path()),
      earlier_(earlier) {
  complete_replacement(path());
  if (earlier == EarlierRun::kReplace || fs::is_empty(path())) return;
  goes_on_ = !run_manifest(path()).empty() &&
             (earlier == EarlierRun::kExtend || (earlier == EarlierRun::kContinue && !holds_finished_run(path())));
  if (goes_on_) return;
  const std::string what = holds_finished_run(path())       ? "holds a finished run"
                           : fs::exists(path() / kManifest) ? "holds another run"
                                                            : "is not empty";
  throw Error(concat("--output_dir: ", path().string(), ": ", what, "; name another folder", way_out()));
}

std::string OutputFolder::way_out() const {
  return earlier_ == EarlierRun::kExtend ? "" : " or say --overwrite_output_dir";
}

OutputFolder::OutputFolder(const OutputFolder& whole, const std::string& part)
    : folder_(cleared(whole.work() / part)),
      work_(path()),
      work_root_(whole.work_root_),
      final_root_(whole.final_root_) {}

OutputFolder::~OutputFolder() {
  if (work_ == path() || is_finished_) return;
  try {
    if (!has_come_to_something(work_)) remove_folder(work_);
  } catch (const std::exception& error) {
    warn("{}", problem_text(error));
  }
}

std::optional<fs::path> OutputFolder::checkpoint() const {
  if (!goes_on_) return std::nullopt;
  const std::vector<fs::path> checkpoints = checkpoints_in(path());
  return checkpoints.empty() ? std::nullopt : std::optional(checkpoints.back());
}

fs::path OutputFolder::final_name(const fs::path& file) const {
  return lies_in(file, work_root_) ? final_root_ / fs::relative(file, work_root_) : file;
}

void OutputFolder::begin_run(Manifest& manifest, const std::vector<std::string>& parts,
                             const std::vector<fs::path>& inputs) {
  if (!has_begun_) {
    parts_ = parts;
    if (goes_on_) {
      for (const std::string& part : parts_of_run(path())) {
        if (std::ranges::find(parts_, part) == parts_.end()) parts_.push_back(part);
      }
    }
    std::vector<fs::path> earlier = files_of_run(path());
    std::ranges::copy(unfinished_runs(path()), std::back_inserter(earlier));
    check_removable(earlier);
    manifest.set("parts", parts_);
    if (goes_on_) {
      go_on(manifest);
    } else if (!earlier.empty()) {
      make_work(manifest, inputs);
    }
    has_begun_ = true;
  }
  write_manifest(manifest);
}

void OutputFolder::check_removable(const std::vector<fs::path>& earlier) const {
  for (const fs::path& path : earlier) {
    if (earlier_ == EarlierRun::kExtend) break;  // all of it stays
    const auto foreign = fs::is_directory(fs::symlink_status(path)) ? first_foreign(path) : std::nullopt;
    TK_CHECK(!foreign, "--output_dir: ", foreign->string(),
             ": no run wrote this, and its folder would go; move it away or name another folder");
  }
  for (const std::string& part : parts_) {
    const bool is_free = !fs::exists(fs::symlink_status(path() / part));
    TK_CHECK(is_free || std::ranges::find(earlier, path() / part) != earlier.end(),
             "--output_dir: ", (path() / part).string(),
             ": no run wrote this, and a folder of that name would be made; move it away or name another folder");
  }
}

// All but finished parts, checkpoints, what a teacher has said and what TensorBoard shows, begins anew.
void OutputFolder::go_on(const Manifest& manifest) const {
  const std::string other = differences(run_manifest(path())["flags"], manifest.json()["flags"]);
  TK_CHECK(other.empty(), "--output_dir: ", path().string(), ": holds a run that ",
           holds_finished_run(path()) ? "" : "is not finished and ", "has other flags: ", other,
           "; name another folder", way_out());
  if (earlier_ == EarlierRun::kExtend) return;
  const std::vector<fs::path> checkpoints = checkpoints_in(path());
  for (const fs::path& file : files_of_run(path())) {
    const std::string name = file.filename().string();
    if (std::ranges::find(checkpoints, file) != checkpoints.end()) continue;
    const bool is_part = std::ranges::find(parts_, name) != parts_.end();
    if (name == kManifest || name == kTeacherLogits || name == kEvents || (is_part && holds_finished_run(file)))
      continue;
    fs::is_directory(fs::symlink_status(file)) ? remove_folder(file) : void(fs::remove(file));
  }
}

// The folder appears with its run.json, which shows whose it is.
void OutputFolder::make_work(const Manifest& manifest, const std::vector<fs::path>& inputs) {
  for (const fs::path& run : unfinished_runs(path())) {
    const bool is_read = std::ranges::any_of(inputs, [&](const fs::path& input) { return lies_in(input, run); });
    if (!is_read) remove_folder(run);
  }
  const fs::path work = unfinished_name(path());
  AtomicFolder complete(work);
  manifest.write(complete.path() / kManifest);
  complete.commit();
  work_ = work_root_ = work;
  info("{} holds an earlier run; until this one is finished it is written to {}", path().string(), work.string());
}

void OutputFolder::finish_run(Manifest& manifest) {
  manifest.finish();
  write_manifest(manifest);
  if (work_ != path()) replace_run(path(), work_);
  is_finished_ = true;
  remove_leftovers(path());  // what could not be removed on the way
}

void OutputFolder::write_manifest(Manifest& manifest) const {
  manifest.set("parts", parts_);
  manifest.write(work_ / kManifest);
}

}  // namespace tk
