#include "transkimmer/cli/run/output_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "tensor/error.h"

namespace tk {
namespace fs = std::filesystem;
namespace {

constexpr std::array<std::string_view, 8> kRunFiles = {"run.json",           "metrics.jsonl",     "trainer_state.json",
                                                       "train_results.json", "eval_results.json", "speed_results.json",
                                                       "all_results.json",   "report.html"};

bool is_checkpoint(const fs::directory_entry& entry) {
  const std::string name = entry.path().filename().string();
  constexpr std::string_view kPrefix = "checkpoint-";
  return entry.is_directory() && name.starts_with(kPrefix) && name.size() > kPrefix.size() &&
         name.find_first_not_of("0123456789", kPrefix.size()) == std::string::npos;
}

}  // namespace

FolderLock::FolderLock(const fs::path& folder) : fd_(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
  if (fd_ < 0 || ::flock(fd_, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK) return;
  ::close(fd_);
  throw Error(concat("--output_dir: ", folder.string(), ": another run is writing to it now; name another folder"));
}

FolderLock::~FolderLock() {
  if (fd_ >= 0) ::close(fd_);
}

OutputFolder::OutputFolder(fs::path folder, bool overwrite) : folder_(std::move(folder)) {
  const std::string name = folder_.string();
  std::error_code error;
  if (!fs::exists(folder_)) {
    fs::create_directories(folder_, error);
    TK_CHECK(!error, "--output_dir: ", name, ": cannot make the folder: ", error.message());
    is_new_ = true;
  }
  TK_CHECK(fs::is_directory(folder_), "--output_dir: ", name, ": exists and is not a folder");
  TK_CHECK(::access(folder_.c_str(), W_OK) == 0, "--output_dir: ", name, ": may not be written to");
  lock_.emplace(folder_);
  if (overwrite || fs::is_empty(folder_)) return;
  const std::string what = fs::exists(folder_ / "run.json") ? "holds another run" : "is not empty";
  throw Error(concat("--output_dir: ", name, ": ", what, "; name another folder or say --overwrite_output_dir"));
}

OutputFolder::~OutputFolder() {
  std::error_code ignored;
  if (is_new_) fs::remove(folder_, ignored);  // an empty folder; any other stays
}

void OutputFolder::begin_run() {
  std::vector<fs::path> stale;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder_)) {
    if (is_checkpoint(entry)) stale.push_back(entry.path());
  }
  for (const std::string_view file : kRunFiles) stale.push_back(folder_ / file);
  for (const fs::path& path : stale) {
    std::error_code error;
    fs::remove_all(path, error);
    TK_CHECK(!error, path.string(), ": cannot be removed: ", error.message());
  }
}

}  // namespace tk
