#include "tensor/io/atomic_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <system_error>
#include <utility>

#include "tensor/error.h"
#include "tensor/io/input_file.h"

namespace tk {
namespace fs = std::filesystem;
namespace {

[[noreturn]] void fail(const fs::path& path, const char* action) {
  throw Error(concat(path.string(), ": cannot ", action, ": ", std::generic_category().message(errno)));
}

// In the same folder, so that renaming moves no data; unlike mkstemp's, the file gets the permissions of the umask.
fs::path temporary_name(const fs::path& path) {
  static std::atomic<int> count = 0;
  fs::path name = path;
  return name += concat(".tmp-", ::getpid(), '-', ++count);
}

fs::path parent_of(const fs::path& path) { return path.has_parent_path() ? path.parent_path() : fs::path("."); }

// Makes a rename in `folder` survive a power cut. Some file systems refuse to sync a folder; nothing is lost then but
// that guarantee.
void sync_folder(const fs::path& folder) {
  const int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return;
  ::fsync(fd);
  ::close(fd);
}

}  // namespace

// A name may be left from a process that was killed and had the same number, as the first ones of a container have.
AtomicFile::AtomicFile(fs::path path) : path_(std::move(path)) {
  do {
    temporary_ = temporary_name(path_);
    fd_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  } while (fd_ < 0 && errno == EEXIST);
  if (fd_ < 0) fail(path_, "create");
}

AtomicFile::~AtomicFile() {
  if (fd_ >= 0) ::close(fd_);
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

void AtomicFile::write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd_, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail(path_, "write");
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
}

void AtomicFile::write(std::string_view text) { write(std::as_bytes(std::span(text))); }

void AtomicFile::commit() {
  if (::fsync(fd_) != 0) fail(path_, "write");
  if (::close(std::exchange(fd_, -1)) != 0) fail(path_, "write");
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) fail(path_, "replace");
  temporary_.clear();
  sync_folder(parent_of(path_));
}

void write_file_atomically(const fs::path& path, std::string_view text) {
  AtomicFile file(path);
  file.write(text);
  file.commit();
}

void copy_file_atomically(const fs::path& from, const fs::path& to) { write_file_atomically(to, read_file(from)); }

// "out/" names the same folder as "out", but nothing could be put beside it.
AtomicFolder::AtomicFolder(fs::path folder)
    : folder_(folder.has_filename() ? std::move(folder) : folder.parent_path()) {
  std::error_code error;
  TK_CHECK(!fs::exists(fs::symlink_status(folder_, error)), folder_.string(), ": exists already");
  fs::create_directories(parent_of(folder_), error);
  TK_CHECK(!error, parent_of(folder_).string(), ": cannot create: ", error.message());
  int failed = 0;
  do {
    temporary_ = temporary_name(folder_);
    failed = ::mkdir(temporary_.c_str(), 0777);
  } while (failed != 0 && errno == EEXIST);
  if (failed != 0) fail(folder_, "create");
}

AtomicFolder::~AtomicFolder() {
  std::error_code ignored;  // a destructor cannot report; what stays has a temporary name
  if (!temporary_.empty()) fs::remove_all(temporary_, ignored);
}

void AtomicFolder::commit() {
  sync_folder(temporary_);
  if (::rename(temporary_.c_str(), folder_.c_str()) != 0) fail(folder_, "create");
  temporary_.clear();
  sync_folder(parent_of(folder_));
}

}  // namespace tk
