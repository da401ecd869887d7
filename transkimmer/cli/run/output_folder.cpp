#include "transkimmer/cli/run/output_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <system_error>
#include <utility>

#include "tensor/error.h"
#include "tensor/io/atomic_file.h"
#include "tensor/io/input_file.h"
#include "tensor/io/problem_text.h"
#include "transkimmer/cli/run/log.h"
#include "transkimmer/cli/run/manifest.h"
#include "transkimmer/cli/run/replace_run.h"
#include "transkimmer/cli/run/run_files.h"

namespace tk {
namespace fs = std::filesystem;
namespace {

constexpr const char* kManifest = "run.json";

bool lies_in(const fs::path& path, const fs::path& folder) {
  const fs::path inner = fs::weakly_canonical(path);
  const fs::path outer = fs::weakly_canonical(folder);
  return std::ranges::mismatch(outer, inner).in1 == outer.end();
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
  std::error_code ignored;
  if (is_new_) fs::remove(folder_, ignored);  // an empty folder; any other stays
}

OutputFolder::OutputFolder(fs::path folder, bool overwrite)
    : folder_(std::move(folder)), lock_(folder_.path()), work_(path()), work_root_(path()), final_root_(path()) {
  complete_replacement(path());
  if (overwrite || fs::is_empty(path())) return;
  const std::string what = fs::exists(path() / kManifest) ? "holds another run" : "is not empty";
  throw Error(
      concat("--output_dir: ", path().string(), ": ", what, "; name another folder or say --overwrite_output_dir"));
}

OutputFolder::OutputFolder(const OutputFolder& whole, const std::string& part)
    : folder_(whole.work() / part), work_(path()), work_root_(whole.work_root_), final_root_(whole.final_root_) {}

OutputFolder::~OutputFolder() {
  if (work_ == path() || is_finished_) return;
  try {
    if (!has_come_to_something(work_)) remove_folder(work_);
  } catch (const std::exception& error) {
    warn("{}", problem_text(error));
  }
}

fs::path OutputFolder::final_name(const fs::path& file) const {
  return lies_in(file, work_root_) ? final_root_ / fs::relative(file, work_root_) : file;
}

void OutputFolder::begin_run(Manifest& manifest, const std::vector<std::string>& parts,
                             const std::vector<fs::path>& inputs) {
  if (!has_begun_) {
    parts_ = parts;
    std::vector<fs::path> earlier = files_of_run(path());
    std::ranges::copy(unfinished_runs(path()), std::back_inserter(earlier));
    check_removable(earlier);
    manifest.set("parts", parts_);
    if (!earlier.empty()) make_work(manifest, inputs);
    has_begun_ = true;
  }
  write_manifest(manifest);
}

void OutputFolder::check_removable(const std::vector<fs::path>& earlier) const {
  for (const fs::path& path : earlier) {
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
