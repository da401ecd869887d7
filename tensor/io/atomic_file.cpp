#include "tensor/io/atomic_file.h"

#include <fcntl.h>
#include <sys/file.h>
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

constexpr std::string_view kMark = ".tmp-transkimmer-";

[[noreturn]] void fail(const fs::path& path, const char* action, int error = errno) {
  throw Error(concat(path.string(), ": cannot ", action, ": ", std::generic_category().message(error)));
}

// In the same folder, so that renaming moves no data; unlike mkstemp's, the file gets the permissions of the umask.
fs::path temporary_name(const fs::path& path) {
  static std::atomic<int> count = 0;
  fs::path name = path;
  return name += concat(kMark, ::getpid(), '-', ++count);
}

fs::path parent_of(const fs::path& path) { return path.has_parent_path() ? path.parent_path() : fs::path("."); }

// "out/" names the same folder as "out", but nothing could be put beside it.
fs::path without_slash(fs::path folder) { return folder.has_filename() ? std::move(folder) : folder.parent_path(); }

// Locks what was just made, so that nobody takes it for a leftover. False when somebody did so before the lock was
// there. Where the file system knows no locks, remove_leftovers gets none, either, and removes nothing.
bool claim(int fd, const fs::path& path) {
  if (::flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) return false;
  struct stat mine = {};
  struct stat named = {};
  if (::lstat(path.c_str(), &named) != 0) return errno != ENOENT;
  return ::fstat(fd, &mine) != 0 || (mine.st_dev == named.st_dev && mine.st_ino == named.st_ino);
}

// Gives `path` a temporary name. It may be left from a process that was killed and had the same number.
fs::path rename_away(const fs::path& path) {
  while (true) {
    const fs::path temporary = temporary_name(path);
    if (::rename(path.c_str(), temporary.c_str()) == 0) return temporary;
    if (errno != EEXIST && errno != ENOTEMPTY) fail(path, "remove");
  }
}

}  // namespace

// Some file systems refuse to sync a folder; nothing is lost then but that guarantee.
void sync_folder(const fs::path& folder) {
  const int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return;
  ::fsync(fd);
  ::close(fd);
}

// A name may be left from a process that was killed and had the same number, as the first ones of a container have.
AtomicFile::AtomicFile(fs::path path) : path_(std::move(path)) {
  check_path(path_);
  while (fd_ < 0) {
    temporary_ = temporary_name(path_);
    fd_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd_ < 0 && errno != EEXIST) fail(path_, "create");
    if (fd_ >= 0 && !claim(fd_, temporary_)) ::close(std::exchange(fd_, -1));
  }
}

AtomicFile::~AtomicFile() {
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
  if (fd_ >= 0) ::close(fd_);
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

// The data are synced by then: that close fails would say nothing about them.
void AtomicFile::commit() {
  while (::fsync(fd_) != 0) {
    if (errno != EINTR) fail(path_, "write");
  }
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) fail(path_, "replace");
  temporary_.clear();
  ::close(std::exchange(fd_, -1));
  sync_folder(parent_of(path_));
}

void write_file_atomically(const fs::path& path, std::string_view text) {
  AtomicFile file(path);
  file.write(text);
  file.commit();
}

AtomicFolder::AtomicFolder(fs::path folder) : folder_(without_slash(std::move(folder))) {
  check_path(folder_);
  std::error_code error;
  TK_CHECK(!fs::exists(fs::symlink_status(folder_, error)), folder_.string(), ": exists already");
  fs::create_directories(parent_of(folder_), error);
  TK_CHECK(!error, parent_of(folder_).string(), ": cannot create: ", error.message());
  remove_leftovers(parent_of(folder_), folder_.filename().string());
  while (fd_ < 0) {
    temporary_ = temporary_name(folder_);
    if (::mkdir(temporary_.c_str(), 0777) != 0) {
      if (errno != EEXIST) fail(folder_, "create");
      continue;
    }
    fd_ = ::open(temporary_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd_ < 0 && errno == ENOENT) continue;  // somebody took it for a leftover
    if (fd_ < 0) {
      const int reason = errno;
      ::rmdir(temporary_.c_str());
      fail(folder_, "create", reason);
    }
    if (!claim(fd_, temporary_)) ::close(std::exchange(fd_, -1));
  }
}

AtomicFolder::~AtomicFolder() {
  std::error_code ignored;  // a destructor cannot report; what stays has a temporary name
  if (!temporary_.empty() && ::rmdir(temporary_.c_str()) != 0) fs::remove_all(temporary_, ignored);
  if (fd_ >= 0) ::close(fd_);
}

void AtomicFolder::commit() {
  sync_folder(temporary_);
  if (::rename(temporary_.c_str(), folder_.c_str()) != 0) fail(folder_, "create");
  temporary_.clear();
  ::close(std::exchange(fd_, -1));
  sync_folder(parent_of(folder_));
}

void AtomicFolder::abandon() { temporary_.clear(); }

void remove_folder(const fs::path& folder) {
  const fs::path path = without_slash(folder);
  const fs::path temporary = rename_away(path);
  std::error_code error;
  fs::remove_all(temporary, error);
  TK_CHECK(!error, path.string(), ": cannot remove all of it: ", error.message());
}

bool is_temporary(const std::string& name, const std::string& file) {
  const std::size_t mark = name.rfind(kMark);
  if (mark == std::string::npos || !name.starts_with(file + std::string(file.empty() ? "" : kMark))) return false;
  return name.find_first_not_of("0123456789-", mark + kMark.size()) == std::string::npos;
}

void remove_leftovers(const fs::path& folder, const std::string& file) {
  std::error_code error;
  fs::directory_iterator entry(folder, error);
  for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
    const fs::path path = entry->path();
    if (!is_temporary(path.filename().string(), file)) continue;
    const int fd = ::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) continue;
    std::error_code ignored;
    if (::flock(fd, LOCK_EX | LOCK_NB) == 0) fs::remove_all(path, ignored);
    ::close(fd);
  }
}

}  // namespace tk
