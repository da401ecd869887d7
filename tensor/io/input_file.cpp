#include "tensor/io/input_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string_view>
#include <system_error>

#include "tensor/error.h"
#include "tensor/io/in_quotes.h"

namespace tk {
namespace {

std::string system_message() { return std::generic_category().message(errno); }

std::int64_t size_of_regular(int fd, const std::string& path) {
  struct stat info = {};
  TK_CHECK(::fstat(fd, &info) == 0, path, ": cannot read: ", system_message());
  TK_CHECK(!S_ISDIR(info.st_mode), path, ": expected a file, got a folder");
  TK_CHECK(S_ISREG(info.st_mode), path, ": not a regular file");
  return info.st_size;
}

}  // namespace

// Without O_NONBLOCK, opening a named pipe would wait for a writer.
InputFile::InputFile(const std::filesystem::path& path) : path_(path.string()) {
  check_path(path);
  fd_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  TK_CHECK(fd_ >= 0, path_, ": cannot open: ", system_message());
  try {
    size_ = size_of_regular(fd_, path_);
    check_no_pointer();
  } catch (...) {
    ::close(fd_);
    throw;
  }
}

InputFile::~InputFile() { ::close(fd_); }

// Pointers have fewer than 1024 bytes (github.com/git-lfs/git-lfs, docs/spec.md).
void InputFile::check_no_pointer() const {
  constexpr std::string_view kFirstLine = "version https://git-lfs.github.com/spec/v1\n";
  if (size_ < std::ssize(kFirstLine) || size_ >= 1024) return;
  std::string head(kFirstLine.size(), '\0');
  read(0, std::as_writable_bytes(std::span(head)));
  TK_CHECK(head != kFirstLine, path_,
           ": is a pointer of Git LFS, not the file; git lfs pull, in its folder, fetches that");
}

void InputFile::read(std::int64_t offset, std::span<std::byte> bytes) const {
  while (!bytes.empty()) {
    const ssize_t got = ::pread(fd_, bytes.data(), bytes.size(), offset);
    if (got < 0 && errno == EINTR) continue;
    TK_CHECK(got >= 0, path_, ": cannot read: ", system_message());
    TK_CHECK(got > 0, path_, ": ends at byte ", offset, " of ", size_, ": it was shortened while being read");
    bytes = bytes.subspan(static_cast<std::size_t>(got));
    offset += got;
  }
}

std::string read_file(const std::filesystem::path& path, std::int64_t most_bytes) {
  const InputFile file(path);
  TK_CHECK(file.size() <= most_bytes, file.path(), ": expected at most ", most_bytes, " bytes, got ", file.size());
  std::string text;
  try {
    text.resize(static_cast<std::size_t>(file.size()));
  } catch (const std::exception&) {  // std::bad_alloc, or std::length_error beyond every memory
    throw Error(concat(file.path(), ": out of memory: the file has ", file.size(), " bytes"));
  }
  file.read(0, std::as_writable_bytes(std::span(text)));
  return text;
}

void check_path(const std::filesystem::path& path) {
  TK_CHECK(path.native().find('\0') == std::string::npos, printable(path.native()),
           ": a path cannot hold a NUL character");
}

}  // namespace tk
